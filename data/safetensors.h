// The safetensors format: 8 bytes length (little-endian), a JSON header of that length, the bytes of the tensors
// without gaps.
//   {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
// Types: F64 F32 BF16 I64 I32 U8, and in files of others F16, which is read as f32 (exactly), and BOOL, read as u8; up
// to 6 dimensions. Our files hold "checksum" (data/checksum.h) of all tensor bytes in __metadata__; where it is present
// it is checked, files of others load without.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "data/named_tensor.h"

namespace rz {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsContents {
  std::vector<NamedTensor> tensors;  // in the order of the file
  Metadata metadata;
  const Tensor* find(std::string_view name) const;  // null: not there
};

// Writes atomically (data/file.h). Tensors are ordered by element size, largest first, and otherwise as given, so that
// each is aligned. Tensors of any device are written; metadata's "checksum" is overwritten.   Throws: file, value (a
// name twice, not UTF-8, "__metadata__")
void save_safetensors(std::string_view path, std::span<const NamedTensor> tensors, const Metadata& metadata = {});
// The size of the file that save_safetensors would write: for check_space.
std::uint64_t safetensors_bytes(std::span<const NamedTensor> tensors, const Metadata& metadata = {});

SafetensorsContents load_safetensors(std::string_view path);  // Throws: file
// `what` opens messages.   Throws: file
SafetensorsContents parse_safetensors(std::string_view bytes, std::string_view what = "memory");

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;  // in memory
  std::string_view stored;   // in the file, by the format's name: "F32", "F16"
  Shape shape;
  std::uint64_t offset = 0;  // from the first tensor byte
  std::uint64_t bytes = 0;   // in the file
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of the file
  Metadata metadata;
};

// Checks everything that can be known from the header: offsets that neither overlap nor leave gaps nor leave the
// `data_bytes` that follow it.   Throws: file
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes, std::string_view what);

// An open file from which single tensors are read. The checksum is checked when all are: read_all, load_safetensors.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::string_view path);  // Throws: file
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }  // absolute
  const std::vector<SafetensorsEntry>& entries() const { return header_.entries; }
  const Metadata& metadata() const { return header_.metadata; }
  const SafetensorsEntry* find(std::string_view name) const;  // null: not there
  Tensor read(const SafetensorsEntry& entry) const;           // Throws: file
  // All tensors in the order of the file, one at a time in memory unless `take` keeps them.   Throws: file (unreadable,
  // or the checksum differs: known only after the last one)
  void read_all(const std::function<void(const SafetensorsEntry&, Tensor)>& take) const;

 private:
  void read_at(std::uint64_t offset, void* destination, std::uint64_t bytes) const;
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t data_start_ = 0;
  SafetensorsHeader header_;
};

}  // namespace rz
