#include "tools/rezero/load_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "core/error.h"
#include "data/text.h"
#include "optim/ema.h"
#include "tools/rezero/name_groups.h"

namespace rz::tool {
namespace {

struct Candidate {
  std::string_view name;  // in the file, without the prefix that was asked for
  const SafetensorsEntry* entry;
};

struct Mismatch {
  std::vector<std::string> missing, unexpected, misshaped;
  bool any() const { return !missing.empty() || !unexpected.empty() || !misshaped.empty(); }
};

std::vector<Candidate> candidates(const SafetensorsFile& file, std::string_view prefix) {
  std::vector<Candidate> list;
  for (const SafetensorsEntry& entry : file.entries()) {
    const std::string_view name = entry.name;
    // PyTorch's batch norms count batches, which nothing here reads.
    if (name.ends_with(".num_batches_tracked")) continue;
    if (name.starts_with(prefix) && is_parameter_name(name.substr(prefix.size())))
      list.push_back({name.substr(prefix.size()), &entry});
  }
  return list;
}

// A buffer, such as a table of positions, may be longer in the file: its first rows are taken.
bool fits(const Parameter& parameter, const Shape& given) {
  const Shape own = parameter.shape();
  if (given == own) return true;
  return parameter.role() == Role::buffer && given.rank() == own.rank() && given[0] > own[0] &&
         given.without(0) == own.without(0);
}

// Of the names without their first `extra` characters.
Mismatch compare(std::span<const Candidate> given, const ParameterStore& store, std::size_t extra = 0) {
  Mismatch result;
  std::vector<bool> found(static_cast<std::size_t>(store.size()), false);
  for (const auto& [name, entry] : given) {
    const Parameter parameter = store.find(name.substr(std::min(extra, name.size())));
    if (!parameter.defined()) {
      result.unexpected.push_back(printable(name));
      continue;
    }
    found[static_cast<std::size_t>(parameter.index())] = true;
    if (!fits(parameter, entry->shape))
      result.misshaped.push_back(
          fmt::format("{} {} (the model's is {})", name, text(entry->shape), text(parameter.shape())));
  }
  for (int k = 0; k < store.size(); ++k)
    if (!found[static_cast<std::size_t>(k)]) result.missing.push_back(store[k].name());
  return result;
}

// A prefix of the names without which all fit, or "".
std::string extra_prefix(std::span<const Candidate> given, const ParameterStore& store) {
  std::string_view prefix;
  for (const Candidate& candidate : given) {
    const std::string_view name = candidate.name;
    for (std::size_t dot = name.find('.'); prefix.empty() && dot != std::string_view::npos;
         dot = name.find('.', dot + 1))
      if (store.find(name.substr(dot + 1)).defined()) prefix = name.substr(0, dot + 1);
    if (prefix.empty() || !name.starts_with(prefix)) return "";
  }
  return !prefix.empty() && !compare(given, store, prefix.size()).any() ? std::string(prefix) : "";
}

// With layers that differ in their number alone put together, and of many the first.
std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::vector<NamedKind> kinds;
  for (const std::string& name : names) kinds.push_back({name, ""});
  const std::vector<NameGroup> groups = group_names(kinds);
  std::string list;
  for (std::size_t i = 0; i < std::min(groups.size(), most); ++i) list += (i == 0 ? "" : ", ") + groups[i].name;
  return groups.size() > most ? fmt::format("{} and {} more", list, groups.size() - most) : list;
}

bool is_statistic(std::string_view name) { return name.ends_with(".running_mean") || name.ends_with(".running_var"); }

void check_names(std::span<const Candidate> given, const std::string& path, const ParameterStore& store) {
  const Mismatch found = compare(given, store);
  if (!found.any()) return;
  std::string list;
  const auto add = [&](std::string_view kind, const std::vector<std::string>& names) {
    if (!names.empty()) list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", kind, list_of(names));
  };
  add("missing", found.missing);
  add("unexpected", found.unexpected);
  add("of another shape", found.misshaped);
  const std::string prefix = extra_prefix(given, store);
  std::string cure;
  if (!prefix.empty()) cure = fmt::format(" (all names would fit without the prefix '{}')", printable(prefix));
  if (std::ranges::any_of(found.missing, is_statistic) && std::ranges::none_of(given, is_statistic, &Candidate::name))
    cure =
        " (the file has no running statistics of batch norms: PyTorch's state_dict() has them, parameters() has not)";
  RZ_FAIL(file, "{}: does not fit the model: {}{}", path, list, cure);
}

// A parameter that stands in the file under its own name and an alias is one matrix.
void check_tied(const SafetensorsFile& file, const SafetensorsEntry& alias, std::span<const Candidate> given,
                const Parameter& parameter) {
  const auto own = std::ranges::find(given, parameter.name(), &Candidate::name);
  if (own == given.end()) return;
  RZ_CHECK(file, file.read(*own->entry).to_vector() == file.read(alias).to_vector(),
           "{}: {} and {} differ, but the model has one matrix for both (model.tie_weights = false has two)",
           file.path(), own->entry->name, alias.name);
}

// "row 5, column 7" of a matrix, "number 3" of anything else.
std::string place(const Shape& shape, std::int64_t i) {
  if (shape.rank() != 2) return fmt::format("number {}", i);
  return fmt::format("row {}, column {}", i / shape[1], i % shape[1]);
}

void check_values(const Tensor& values, const std::string& path, const std::string& name) {
  const std::vector<double> numbers = values.to_vector();
  for (std::size_t i = 0; i < numbers.size(); ++i)
    RZ_CHECK(file, std::isfinite(numbers[i]) && (numbers[i] >= 0 || !name.ends_with(".running_var")),
             "{}: {} of {} (counted from 0) is {}", path, place(values.shape(), static_cast<std::int64_t>(i)), name,
             std::isfinite(numbers[i]) ? "a negative variance" : "not finite");
}

}  // namespace

bool is_parameter_name(std::string_view name) { return name.find('/') == std::string_view::npos; }

std::vector<Assignment> weight_assignments(const SafetensorsFile& file, const ParameterStore& store,
                                           std::string_view prefix) {
  const std::vector<Candidate> given = candidates(file, prefix);
  check_names(given, file.path(), store);
  std::vector<Assignment> list;
  for (const auto& [name, entry] : given) {
    RZ_CHECK(file, is_real(entry->dtype) || entry->dtype == DType::bf16,
             "{}: {} has the type {}, but weights are F64, F32, F16 or BF16", file.path(), entry->name, entry->dtype);
    const Parameter parameter = store.find(name);
    if (name != parameter.name()) check_tied(file, *entry, given, parameter);
    list.push_back({entry, parameter.value()});
  }
  return list;
}

void assign(const SafetensorsFile& file, std::span<const Assignment> assignments) {
  std::unordered_map<const SafetensorsEntry*, const Assignment*> by_entry;
  for (const Assignment& one : assignments) by_entry.emplace(one.entry, &one);
  file.read_all([&](const SafetensorsEntry& entry, const Tensor& tensor) {
    const auto found = by_entry.find(&entry);
    if (found != by_entry.end() && found->second->is_weight)
      check_values(tensor.to(found->second->destination.dtype()), file.path(), entry.name);
  });
  for (const Assignment& one : assignments) {
    Tensor values = file.read(*one.entry).to(one.destination.dtype());
    if (values.shape() != one.destination.shape()) values = values.rows(0, one.destination.shape()[0]);
    one.destination.copy_from(values);
  }
}

std::string form_text(const nn::Model& model) {
  const std::string formula = model.formula();
  return formula.substr(0, formula.find(", "));
}

void check_form(const SafetensorsFile& file, const nn::Model& model) {
  const auto found = file.metadata().find(form_key);
  RZ_CHECK(file, found == file.metadata().end() || found->second == form_text(model),
           "{}: holds weights of {}, but the model is {} (model.form)", file.path(), printable(found->second),
           form_text(model));
}

void load_weights(std::string_view path, const nn::Model& model) {
  const SafetensorsFile file(path);
  check_form(file, model);
  assign(file, weight_assignments(file, model.parameters()));
}

void load_averages(std::string_view path, const nn::Model& model) {
  const SafetensorsFile file(path);
  check_form(file, model);
  const std::string prefix = std::string("optimizer/") + optim::Ema::slot + "/";
  RZ_CHECK(file, std::ranges::any_of(file.entries(), [&](const auto& e) { return e.name.starts_with(prefix); }),
           "{}: holds no averages of the weights (train.ema was 0 when it was written)", file.path());
  assign(file, weight_assignments(file, model.parameters(), prefix));
}

}  // namespace rz::tool
