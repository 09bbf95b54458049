#include "tools/rezero/weights_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/checksum.h"
#include "data/text.h"
#include "tools/rezero/name_groups.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr std::size_t most_shown = 5;  // of metadata and of tensors that are not finite

struct Totals {
  std::int64_t numbers = 0, non_finite = 0;
  long double squares = 0;  // squares of doubles fit
  void add(const Weight& w) {
    numbers += w.shape.elements();
    non_finite += w.non_finite;
    squares += static_cast<long double>(w.norm) * w.norm;
  }
  double norm() const { return static_cast<double>(std::sqrt(squares)); }
};

Totals totals_of(const WeightsList& list) {
  Totals totals;
  for (const Weight& weight : list.weights) totals.add(weight);
  return totals;
}

std::string heading(const WeightsList& list) {
  std::string text = list.file + "\n";
  std::size_t shown = 0;
  for (const auto& [key, value] : list.metadata) {
    if (++shown > most_shown) break;
    text += fmt::format("  {}: {}{}\n", printable(key), printable(value),
                        key == "checksum" && is_own_checksum(value) ? " (agrees)" : "");
  }
  if (list.metadata.size() > most_shown) text += fmt::format("  and {} more\n", list.metadata.size() - most_shown);
  return text + "\n";
}

std::vector<std::string> row_of(const NameGroup& group, const std::vector<Weight>& weights) {
  Totals totals;
  const Weight& one = weights[group.members[0]];
  double low = one.norm, high = one.norm;
  for (const std::size_t member : group.members) {
    totals.add(weights[member]);
    low = std::min(low, weights[member].norm);
    high = std::max(high, weights[member].norm);
  }
  const std::string norms = low == high ? fmt::format("{:.5g}", low) : fmt::format("{:.5g} to {:.5g}", low, high);
  return {printable(group.name),      text(one.shape), one.type,
          count_text(totals.numbers), norms,           count_text(totals.non_finite)};
}

std::string table(const WeightsList& list, const Totals& totals) {
  std::vector<NamedKind> kinds;
  for (const Weight& w : list.weights) kinds.push_back({w.name, text(w.shape) + w.type});
  std::vector<std::vector<std::string>> rows{{"name", "shape", "type", "numbers", "norm", "not finite"}};
  for (const NameGroup& group : group_names(kinds)) rows.push_back(row_of(group, list.weights));
  rows.push_back({"total", "", "", count_text(totals.numbers), fmt::format("{:.5g}", totals.norm()),
                  count_text(totals.non_finite)});
  return table_text(rows, "lllrrr");
}

// Where numbers that are not finite are: rows of layers hide it.
std::string places_text(const WeightsList& list) {
  std::string text;
  std::size_t places = 0;
  for (const Weight& w : list.weights) {
    if (w.non_finite == 0 || ++places > most_shown) continue;
    text += fmt::format("{}{} ({} of {})", places > 1 ? ", " : "not finite: ", printable(w.name),
                        count_text(w.non_finite), count_text(w.shape.elements()));
  }
  if (places > most_shown) text += fmt::format(" and in {} more", places - most_shown);
  return text.empty() ? "" : text + "\n";
}

std::string written_text(const WeightsList& list) {
  if (list.written.empty()) return "";
  std::map<std::string, int> changes;
  for (const Weight& w : list.weights)
    if (w.written != w.type) ++changes[w.type + " became " + w.written];
  std::string text = fmt::format("written: {}", list.written);
  for (const char* separator = " ("; const auto& [change, tensors] : changes) {
    text += fmt::format("{}{} in {} tensor{}", separator, change, tensors, tensors == 1 ? "" : "s");
    separator = ", ";
  }
  return text + (changes.empty() ? "\n" : ")\n");
}

}  // namespace

Weight measure(const StoredTensor& stored) {
  Weight weight{stored.name, stored.type, "", stored.tensor.shape()};
  long double squares = 0;
  for (const double number : stored.tensor.to_vector()) {
    if (std::isfinite(number))
      squares += static_cast<long double>(number) * number;
    else
      ++weight.non_finite;
  }
  weight.norm = static_cast<double>(std::sqrt(squares));
  return weight;
}

std::string weights_text(const WeightsList& list) {
  std::string text = heading(list) + table(list, totals_of(list)) + "\n" + places_text(list);
  if (list.beside > 0)
    text += fmt::format("not listed: {} with a slash in the name, such as optimizer/... (--all)\n",
                        count_text(list.beside));
  text += written_text(list);
  if (text.ends_with("\n\n")) text.pop_back();
  return text;
}

std::string weights_json(const WeightsList& list) {
  using Json = nlohmann::ordered_json;  // writes null for infinity
  Json tensors = Json::array();
  for (const Weight& w : list.weights) {
    const auto extents = w.shape.extents();
    Json one{{"name", w.name}, {"shape", std::vector<std::int64_t>(extents.begin(), extents.end())},
             {"type", w.type}, {"numbers", w.shape.elements()},
             {"norm", w.norm}, {"non_finite", w.non_finite}};
    if (!w.written.empty()) one["written_type"] = w.written;
    tensors.push_back(std::move(one));
  }
  const Totals totals = totals_of(list);
  const Json json{{"file", list.file},
                  {"metadata", list.metadata},
                  {"tensors", std::move(tensors)},
                  {"numbers", totals.numbers},
                  {"norm", totals.norm()},
                  {"non_finite", totals.non_finite},
                  {"beside", list.beside},
                  {"written", list.written.empty() ? Json() : Json(list.written)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace rz::tool
