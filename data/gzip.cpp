#include "data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "data/text.h"

namespace rz {

struct GzipReader::State {
  z_stream stream{};
  std::string_view rest;  // what zlib has not been given: it counts in 32 bits
  std::size_t packed = 0;
  std::string what;
  bool ended = false;

  State(std::string_view compressed, std::string_view name) : rest(compressed), packed(compressed.size()), what(name) {
    constexpr int gzip_only = 16;  // zlib: added to the size of the window
    RZ_CHECK(memory, inflateInit2(&stream, gzip_only + MAX_WBITS) == Z_OK, "{}: zlib could not be started", what);
  }
  ~State() { inflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::string_view left() const { return {rest.data() - stream.avail_in, stream.avail_in + rest.size()}; }
  std::size_t inflate_into(char* out, std::size_t bytes);
  [[noreturn]] void fail(std::string_view why) const { RZ_FAIL(file, "{}: {}", what, why); }
};

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

GzipReader::GzipReader(std::string_view packed, std::string_view what) : state_(new State(packed, what)) {}
GzipReader::~GzipReader() = default;

std::size_t GzipReader::State::inflate_into(char* out, std::size_t bytes) {
  constexpr std::size_t most = std::numeric_limits<uInt>::max();
  std::size_t done = 0;
  while (done < bytes && !ended) {
    if (stream.avail_in == 0) {
      const std::size_t piece = std::min(rest.size(), most);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));  // zlib only reads it
      stream.avail_in = static_cast<uInt>(piece);
      rest.remove_prefix(piece);
    }
    const std::size_t room = std::min(bytes - done, most);
    stream.next_out = reinterpret_cast<Bytef*>(out + done);
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    done += room - stream.avail_out;
    if (result == Z_STREAM_END) {  // of a member
      ended = !is_gzip(left());
      if (!ended) inflateReset(&stream);
      continue;
    }
    if (result == Z_BUF_ERROR && rest.empty()) fail("is cut off (its compressed data end early)");
    if (result == Z_MEM_ERROR) RZ_FAIL(memory, "{}: there is not enough memory to unpack it", what);
    if (result != Z_OK && result != Z_BUF_ERROR)
      fail("is damaged: " + printable(stream.msg ? stream.msg : "its compressed data are no gzip stream"));
  }
  return done;
}

std::string GzipReader::read(std::size_t bytes) {
  // Deflate shrinks by a factor of 1032 at most.
  if (bytes / 1032 > state_->packed)
    state_->fail("claims " + grouped(bytes) + " bytes, more than its " + grouped(state_->packed) +
                 " compressed ones can hold (damaged?)");
  std::string out(bytes, '\0');
  out.resize(state_->inflate_into(out.data(), bytes));
  return out;
}

void GzipReader::expect_end() {
  char beyond = 0;
  if (state_->inflate_into(&beyond, 1) != 0) state_->fail("goes on after the end that its header gives");
  if (!state_->left().empty()) state_->fail("has other bytes after its compressed data");
}

}  // namespace rz
