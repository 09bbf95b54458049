// Any bytes are unpacked to the same contents whatever the sizes of the pieces, and never to more than was asked for,
// or give an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "data/gzip.h"

namespace {

// The first `most` bytes, read in pieces; whether that was all, with a right checksum.
bool unpack(std::string_view packed, std::size_t piece, std::size_t most, std::string& out) {
  try {
    rz::GzipReader reader(packed, "memory");
    while (out.size() < most) {
      const std::string more = reader.read(piece);
      if (more.size() > piece) std::abort();
      out += more;
      if (more.size() < piece) break;
    }
    reader.expect_end();
    return true;
  } catch (const rz::Error& error) {
    if (error.message().find('\n') != std::string::npos) std::abort();
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view packed(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t most = 3 << 14;
  std::string in_large_pieces, in_small_pieces;
  const bool whole = unpack(packed, 1 << 14, most, in_large_pieces), again = unpack(packed, 3, most, in_small_pieces);
  if (whole && again && in_large_pieces != in_small_pieces) std::abort();
  return 0;
}
