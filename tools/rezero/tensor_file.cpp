#include "tools/rezero/tensor_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

// The first bytes of a file; "" where it cannot be read, which the reader of the format says better.
std::string first_bytes(const std::string& path) {
  std::string bytes(4, '\0');
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t count = descriptor < 0 ? 0 : read(descriptor, bytes.data(), bytes.size());
  if (descriptor >= 0) close(descriptor);
  return bytes.substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
}

// torch.save writes a zip archive, formerly a bare pickle. Either holds a program that builds objects.
void refuse_pickle(const std::string& path, std::string_view first) {
  const bool named = path.ends_with(".pt") || path.ends_with(".pth") || path.ends_with(".ckpt") ||
                     path.ends_with(".bin") || path.ends_with(".pkl");
  RZ_CHECK(file, !named || !(first.starts_with("PK") || first.starts_with("\x80")),
           "{}: is a pickle of Python, which is not read (in Python: safetensors.torch.save_file(model.state_dict(), "
           "\"x.safetensors\"))",
           path);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

Metadata read_tensor_file(std::string_view given, const std::function<void(StoredTensor)>& take) {
  const std::string path = absolute(given), first = first_bytes(path);
  refuse_pickle(path, first);
  if (first.starts_with("PK") || path.ends_with(".npz")) {
    for (NamedTensor& t : load_npz(path)) {
      std::string type(name(t.tensor.dtype()));
      take({std::move(t.name), std::move(type), std::move(t.tensor)});
    }
    return {};
  }
  const SafetensorsFile file(path);
  file.read_all([&](const SafetensorsEntry& entry, Tensor tensor) {
    take({entry.name, lower_case(entry.stored), std::move(tensor)});
  });
  return file.metadata();
}

TensorFormat format_of_target(std::string_view path) {
  if (path.ends_with(".safetensors")) return TensorFormat::safetensors;
  if (path.ends_with(".npz")) return TensorFormat::npz;
  throw UsageError(
      fmt::format("--to: the ending of {} names no format (.safetensors or .npz is written)", printable(path)));
}

DType written_type(TensorFormat format, DType dtype) {
  return format == TensorFormat::npz && dtype == DType::bf16 ? DType::f32 : dtype;
}

void write_tensor_file(std::string_view path, std::span<const NamedTensor> tensors, const Metadata& metadata) {
  const TensorFormat format = format_of_target(path);
  if (format == TensorFormat::safetensors) return save_safetensors(path, tensors, metadata);
  std::vector<NamedTensor> converted(tensors.begin(), tensors.end());
  for (NamedTensor& t : converted) t.tensor = t.tensor.to(written_type(format, t.tensor.dtype()));
  save_npz(path, converted);
}

}  // namespace rz::tool
