// Reading parameters from a file of tensors.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/checkpoint.h"

namespace rz::tool {
namespace {

struct Mismatch {
  std::vector<std::string> missing, unexpected, misshaped;
  bool any() const { return !missing.empty() || !unexpected.empty() || !misshaped.empty(); }
};

// Of the file's names without their first `prefix` characters.
Mismatch compare(const SafetensorsContents& contents, const ParameterStore& store, std::size_t prefix = 0) {
  Mismatch result;
  std::vector<bool> found(static_cast<std::size_t>(store.size()), false);
  for (const NamedTensor& t : contents.tensors) {
    if (!is_parameter_name(t.name)) continue;
    const Parameter parameter = store.find(t.name.substr(std::min(prefix, t.name.size())));
    if (!parameter.defined()) {
      result.unexpected.push_back(printable(t.name));
      continue;
    }
    found[static_cast<std::size_t>(parameter.index())] = true;
    if (!(parameter.shape() == t.tensor.shape()))
      result.misshaped.push_back(
          fmt::format("{} {} (the model's is {})", t.name, text(t.tensor.shape()), text(parameter.shape())));
  }
  for (int k = 0; k < store.size(); ++k)
    if (!found[static_cast<std::size_t>(k)]) result.missing.push_back(store[k].name());
  return result;
}

// A prefix of the file's names without which all fit, or "".
std::string extra_prefix(const SafetensorsContents& contents, const ParameterStore& store) {
  std::string prefix;
  for (const NamedTensor& t : contents.tensors) {
    if (!is_parameter_name(t.name)) continue;
    if (prefix.empty()) {
      for (std::size_t dot = t.name.find('.'); prefix.empty() && dot != std::string::npos;
           dot = t.name.find('.', dot + 1))
        if (store.find(t.name.substr(dot + 1)).defined()) prefix = t.name.substr(0, dot + 1);
    }
    if (prefix.empty() || !t.name.starts_with(prefix)) return "";
  }
  return !prefix.empty() && !compare(contents, store, prefix.size()).any() ? prefix : "";
}

void check_names(const SafetensorsContents& contents, std::string_view what, const ParameterStore& store) {
  const Mismatch found = compare(contents, store);
  if (!found.any()) return;
  std::string list;
  const auto add = [&](std::string_view kind, const std::vector<std::string>& names) {
    if (!names.empty()) list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", kind, fmt::join(names, ", "));
  };
  add("missing", found.missing);
  add("unexpected", found.unexpected);
  add("of another shape", found.misshaped);
  const std::string prefix = extra_prefix(contents, store);
  RZ_FAIL(file, "{}: does not fit the model: {}{}", what, list,
          prefix.empty() ? "" : fmt::format(" (all names would fit without the prefix '{}')", printable(prefix)));
}

void check_finite_values(const Tensor& values, std::string_view what, const std::string& name) {
  const std::vector<double> numbers = values.to_vector();
  for (std::size_t i = 0; i < numbers.size(); ++i)
    RZ_CHECK(file, std::isfinite(numbers[i]), "{}: number {} of {} (counted from 0) is not finite", what, i, name);
}

}  // namespace

bool is_parameter_name(std::string_view name) { return name.find('/') == std::string_view::npos; }

void assign_weights(const SafetensorsContents& contents, std::string_view what, ParameterStore& store) {
  check_names(contents, what, store);
  for (const NamedTensor& t : contents.tensors) {
    if (!is_parameter_name(t.name)) continue;
    RZ_CHECK(file, is_real(t.tensor.dtype()) || t.tensor.dtype() == DType::bf16,
             "{}: {} has the type {}, but weights are F64, F32, F16 or BF16", what, t.name, t.tensor.dtype());
    const Tensor converted = t.tensor.to(store.dtype());
    check_finite_values(converted, what, t.name);
    store.find(t.name).value().copy_from(converted);
  }
}

void load_weights(std::string_view path, ParameterStore& store) {
  assign_weights(load_safetensors(path), absolute(path), store);
}

}  // namespace rz::tool
