#include "data/cifar.h"

#include "core/error.h"
#include "data/text.h"

namespace rz {
namespace {

const CifarLayout& other(const CifarLayout& layout) {
  return layout.label_bytes == 1 ? cifar100_layout : cifar10_layout;
}

// The other things that people have under these names.
std::string hint(std::string_view bytes, const CifarLayout& layout) {
  if (bytes.starts_with("\x1f\x8b")) return " (it is compressed: unpack it)";
  if (bytes.starts_with("\x80\x02") || bytes.starts_with("\x80\x03") || bytes.starts_with("\x80\x04")) {
    return " (it is the Python version: the binary version is needed)";
  }
  if (bytes.empty()) return " (it is empty)";
  const CifarLayout& wrong = other(layout);
  if (static_cast<std::int64_t>(bytes.size()) % wrong.record_bytes() == 0)
    return " (it is a " + std::string(wrong.title) + " file, of records of " +
           grouped(static_cast<std::uint64_t>(wrong.record_bytes())) + ": data.name = \"" + std::string(wrong.dataset) +
           "\")";
  return " (is it cut off, or another format?)";
}

}  // namespace

void parse_cifar(std::string_view bytes, std::string_view what, const CifarLayout& layout, std::int64_t which,
                 Dataset& data) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t record_bytes = layout.record_bytes();
  RZ_CHECK(file, size > 0 && size % record_bytes == 0, "{}: has {} bytes, {} files have whole records of {}{}", what,
           grouped(bytes.size()), layout.title, grouped(static_cast<std::uint64_t>(record_bytes)), hint(bytes, layout));
  const std::int64_t records = size / record_bytes;
  for (std::int64_t i = 0; i < records; ++i) {
    for (std::int64_t k = 0; k < layout.label_bytes; ++k) {
      const auto label = static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(i * record_bytes + k)]);
      const int classes = layout.classes[static_cast<std::size_t>(k)];
      RZ_CHECK(file, label < classes, "{}: record {} has {}label {}, labels are 0 to {} (damaged, or another format?)",
               what, i,
               layout.label_bytes == 1 ? ""
               : k == 0                ? "coarse "
                                       : "fine ",
               label, classes - 1);
    }
  }
  for (std::int64_t i = 0; i < records; ++i) {
    const std::string_view record =
        bytes.substr(static_cast<std::size_t>(i * record_bytes), static_cast<std::size_t>(record_bytes));
    data.labels.push_back(static_cast<std::uint8_t>(record[static_cast<std::size_t>(which)]));
    data.pixels.insert(data.pixels.end(), record.begin() + layout.label_bytes, record.end());
  }
}

}  // namespace rz
