// Checksums of data: XXH3 with 128 bits, written "xxh3-128:" and 32 hexadecimal digits (the canonical order of xxhsum
// -H128). They find damage, not malice.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rz {

class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void add(const void* data, std::size_t bytes);
  std::string text() const;

 private:
  void* state_;
};

// Whether a text is of this kind: others' files may hold checksums of other kinds.
bool is_own_checksum(std::string_view text);

std::string checksum_of(const void* data, std::size_t bytes);

}  // namespace rz
