// NumPy's array files: .npy (versions 1 to 3) and .npz (a zip archive of them).
// Read: f4 f8 i4 i8 u1 of either byte order, f2 as f32, b1 as u8, i1 i2 u2 as i32, u4 u8 as i64 (u8 below 2^63); C
// order, and Fortran order, which is transposed; archives of any size (zip64). Written: version 1, little-endian, C
// order; bf16 is refused.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "data/named_tensor.h"

namespace rz {

Tensor load_npy(std::string_view path);                                      // Throws: file
Tensor parse_npy(std::string_view bytes, std::string_view what = "memory");  // `what` opens messages.   Throws: file
void save_npy(std::string_view path, const Tensor& tensor);                  // atomically.   Throws: file, dtype
std::string npy_bytes(const Tensor& tensor);                                 // Throws: dtype

std::vector<NamedTensor> load_npz(std::string_view path);  // in the order of the archive.   Throws: file
std::vector<NamedTensor> parse_npz(std::string_view bytes, std::string_view what = "memory");  // Throws: file
// Atomically, not compressed.   Throws: file, dtype, value (no array, a name twice)
void save_npz(std::string_view path, std::span<const NamedTensor> tensors);

}  // namespace rz
