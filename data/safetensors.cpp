#include "data/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/error.h"
#include "data/checksum.h"
#include "data/file.h"
#include "data/half.h"
#include "data/text.h"

namespace rz {
namespace {

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t largest_header = 100'000'000;  // the limit of the reference implementation

std::string_view type_name(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::u8:
      return "U8";
  }
  return "";
}

std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    RZ_FAIL(value, "safetensors: the name or text '{}' is not valid UTF-8", printable(text));
  }
}

std::vector<NamedTensor> ordered(std::span<const NamedTensor> tensors) {
  std::set<std::string_view> names;
  for (const NamedTensor& t : tensors) {
    RZ_CHECK(value, t.tensor.defined(), "safetensors: tensor '{}' is empty: it has no storage", printable(t.name));
    RZ_CHECK(value, t.name != "__metadata__", "safetensors: no tensor can be named __metadata__");
    RZ_CHECK(value, names.insert(t.name).second, "safetensors: the name '{}' was given twice", printable(t.name));
  }
  std::vector<NamedTensor> sorted;
  sorted.reserve(tensors.size());
  for (const std::size_t size : {8U, 4U, 2U, 1U}) {
    for (const NamedTensor& t : tensors) {
      if (size_of(t.tensor.dtype()) == size) sorted.push_back(t);
    }
  }
  return sorted;
}

// Length and JSON, filled up with spaces so that the tensor bytes begin at a multiple of 8.
std::string header_text(std::span<const NamedTensor> tensors, Metadata metadata, const std::string& checksum) {
  metadata["checksum"] = checksum;
  std::string json = "{\"__metadata__\":{";
  for (const char* separator = ""; const auto& [key, value] : metadata) {
    json += fmt::format("{}{}:{}", separator, quoted(key), quoted(value));
    separator = ",";
  }
  json += "}";
  std::uint64_t offset = 0;
  for (const NamedTensor& t : tensors) {
    json += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(t.name),
                        type_name(t.tensor.dtype()), fmt::join(t.tensor.shape().extents(), ","), offset,
                        offset + t.tensor.bytes());
    offset += t.tensor.bytes();
  }
  json += "}";
  json.append((length_bytes - json.size() % length_bytes) % length_bytes, ' ');
  std::string length(length_bytes, '\0');
  for (std::size_t k = 0; k < length_bytes; ++k) length[k] = static_cast<char>(json.size() >> (8 * k) & 0xFF);
  return length + json;
}

std::uint64_t header_length(std::string_view first_bytes, std::uint64_t file_bytes, std::string_view what) {
  RZ_CHECK(file, first_bytes.size() >= length_bytes, "{}: is no safetensors file: it has only {}", what,
           byte_text(file_bytes));
  std::uint64_t length = 0;
  for (std::size_t k = length_bytes; k-- > 0;) length = length << 8 | static_cast<unsigned char>(first_bytes[k]);
  RZ_CHECK(file, length <= file_bytes - length_bytes,
           "{}: is no safetensors file, or cut off: its header claims {} bytes, but only {} follow", what,
           grouped(length), grouped(file_bytes - length_bytes));
  RZ_CHECK(file, length <= largest_header, "{}: its safetensors header claims {} bytes, at most {} are read", what,
           grouped(length), grouped(largest_header));
  return length;
}

// The tensor of an entry whose bytes read(entry, destination) gets; they are added to `checksum` as they stand in the
// file.
template <class Read>
Tensor tensor_of(const SafetensorsEntry& entry, Checksum* checksum, Read&& read) {
  Tensor tensor(entry.shape, entry.dtype);
  const bool widened = entry.stored == "F16";
  std::vector<std::uint16_t> halves(widened ? static_cast<std::size_t>(tensor.elements()) : 0);
  void* const destination = widened ? halves.data() : tensor.raw();
  read(entry, destination);
  if (checksum) checksum->add(destination, entry.bytes);
  if (widened) std::ranges::transform(halves, tensor.data<float>(), float_of_half);
  return tensor;
}

// All tensors of a file, in its order, then the comparison of their checksum with that of the header.
template <class Read, class Take>
void read_tensors(const SafetensorsHeader& header, std::string_view what, Read&& read, Take&& take) {
  Checksum checksum;
  const auto wanted = header.metadata.find("checksum");
  const bool check = wanted != header.metadata.end() && is_own_checksum(wanted->second);
  for (const SafetensorsEntry& entry : header.entries) take(entry, tensor_of(entry, check ? &checksum : nullptr, read));
  if (!check) return;
  const std::string found = checksum.text();
  RZ_CHECK(file, found == wanted->second, "{}: is damaged: the checksum of its tensors is {}, its header says {}", what,
           found, printable(wanted->second));
}

}  // namespace

const Tensor* SafetensorsContents::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &found->tensor;
}

void save_safetensors(std::string_view path, std::span<const NamedTensor> tensors, const Metadata& metadata) {
  std::vector<NamedTensor> host = ordered(tensors);
  Checksum checksum;
  for (NamedTensor& t : host) {
    t.tensor = t.tensor.to(Device::cpu());
    checksum.add(t.tensor.raw(), t.tensor.bytes());
  }
  FileWriter writer(path);
  writer.write(header_text(host, metadata, checksum.text()));
  for (const NamedTensor& t : host) writer.write(t.tensor.raw(), t.tensor.bytes());
  writer.commit();
}

std::uint64_t safetensors_bytes(std::span<const NamedTensor> tensors, const Metadata& metadata) {
  std::uint64_t bytes = header_text(ordered(tensors), metadata, checksum_of(nullptr, 0)).size();
  for (const NamedTensor& t : tensors) bytes += t.tensor.bytes();
  return bytes;
}

SafetensorsContents parse_safetensors(std::string_view bytes, std::string_view what) {
  const std::uint64_t length = header_length(bytes.substr(0, length_bytes), bytes.size(), what);
  const std::string_view data = bytes.substr(length_bytes + length);
  const SafetensorsHeader header = parse_safetensors_header(bytes.substr(length_bytes, length), data.size(), what);
  SafetensorsContents contents{{}, header.metadata};
  read_tensors(
      header, what,
      [&](const SafetensorsEntry& entry, void* destination) {
        if (entry.bytes) std::memcpy(destination, data.data() + entry.offset, entry.bytes);
      },
      [&](const SafetensorsEntry& entry, Tensor tensor) {
        contents.tensors.push_back({entry.name, std::move(tensor)});
      });
  return contents;
}

SafetensorsContents load_safetensors(std::string_view path) {
  const SafetensorsFile file(path);
  SafetensorsContents contents{{}, file.metadata()};
  file.read_all([&](const SafetensorsEntry& entry, Tensor tensor) {
    contents.tensors.push_back({entry.name, std::move(tensor)});
  });
  return contents;
}

SafetensorsFile::SafetensorsFile(std::string_view path) : path_(absolute(path)) {
  const auto check = [&](bool good) {
    const int reason = good ? 0 : errno;
    RZ_CHECK(file, good, "{}: cannot be read: {}", path_, std::generic_category().message(reason));
  };
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  check(descriptor_ >= 0);
  try {
    struct stat status{};
    check(fstat(descriptor_, &status) == 0);
    errno = EISDIR;
    check(!S_ISDIR(status.st_mode));
    const auto size = static_cast<std::uint64_t>(S_ISREG(status.st_mode) ? status.st_size : 0);
    std::string bytes(std::min(size, length_bytes), '\0');
    read_at(0, bytes.data(), bytes.size());
    const std::uint64_t length = header_length(bytes, size, path_);
    bytes.resize(length);
    read_at(length_bytes, bytes.data(), length);
    data_start_ = length_bytes + length;
    header_ = parse_safetensors_header(bytes, size - data_start_, path_);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

SafetensorsFile::~SafetensorsFile() { close(descriptor_); }

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::ranges::find(header_.entries, name, &SafetensorsEntry::name);
  return found == header_.entries.end() ? nullptr : &*found;
}

Tensor SafetensorsFile::read(const SafetensorsEntry& entry) const {
  return tensor_of(entry, nullptr, [this](const SafetensorsEntry& one, void* destination) {
    read_at(data_start_ + one.offset, destination, one.bytes);
  });
}

void SafetensorsFile::read_all(const std::function<void(const SafetensorsEntry&, Tensor)>& take) const {
  read_tensors(
      header_, path_,
      [this](const SafetensorsEntry& entry, void* destination) {
        read_at(data_start_ + entry.offset, destination, entry.bytes);
      },
      take);
}

void SafetensorsFile::read_at(std::uint64_t offset, void* destination, std::uint64_t bytes) const {
  char* next = static_cast<char*>(destination);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    const int reason = count < 0 ? errno : 0;
    RZ_CHECK(file, count >= 0, "{}: cannot be read: {}", path_, std::generic_category().message(reason));
    RZ_CHECK(file, count > 0, "{}: became shorter while it was read", path_);
    next += count;
    offset += static_cast<std::uint64_t>(count);
    bytes -= static_cast<std::uint64_t>(count);
  }
}

}  // namespace rz
