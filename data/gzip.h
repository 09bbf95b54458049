// gzip (RFC 1952), read piece by piece, so that nobody expands more than the contents' own header says.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace rz {

bool is_gzip(std::string_view bytes);

class GzipReader {
 public:
  // Compressed members, one after the other, whose contents are read as one; they must outlive the reader. `what` opens
  // messages.   Throws: file
  GzipReader(std::string_view packed, std::string_view what);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // The next `bytes` bytes, or fewer at the end. More than the packed bytes can expand to are refused before memory is
  // asked for.   Throws: file (damaged, cut off, too large)
  std::string read(std::size_t bytes);
  // Nothing is left, and the checksum is right.   Throws: file (more follows, damaged, cut off)
  void expect_end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rz
