// IDX, the files of MNIST (LeCun): two zero bytes, a type (08: bytes), a number of dimensions, each extent in 32 bits,
// big-endian, then the numbers. Plain, or compressed with gzip.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rz {

struct IdxArray {
  std::vector<std::int64_t> extents;  // 1 to 6 of them
  std::string bytes;                  // as many as the product of the extents
};

// `what` opens messages. No more is unpacked than the header says.   Throws: file (empty, cut off, too long, damaged,
// of another type)
IdxArray parse_idx(std::string_view bytes, std::string_view what = "memory");

}  // namespace rz
