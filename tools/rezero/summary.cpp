// The table of a model's parameters.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "core/error.h"
#include "data/text.h"
#include "nn/forms.h"
#include "tools/rezero/model.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

// Parameters that differ in the first number of their name alone, such as linear_layers.0.weight.
struct Row {
  std::string before, after;  // of the number
  std::int64_t first = -1, last = -1;
  Shape shape;
  Role role;
  std::int64_t parameters = 0;

  std::string name() const {
    if (first < 0) return before;
    const std::string number = first == last ? std::to_string(first) : fmt::format("{{{}..{}}}", first, last);
    return before + number + after;
  }
};

bool all_digits(std::string_view word) {
  return !word.empty() && word.size() < 18 &&
         std::ranges::all_of(word, [](unsigned char c) { return std::isdigit(c); });
}

Row row_of(const Parameter& parameter) {
  Row row{parameter.name(), "", -1, -1, parameter.shape(), parameter.role(), parameter.shape().elements()};
  const std::string& name = parameter.name();
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    const std::string word = name.substr(at, end - at);
    if (all_digits(word)) {
      row.before = name.substr(0, at);
      row.after = name.substr(end);
      row.first = row.last = std::stoll(word);
      break;
    }
    at = end + 1;
  }
  return row;
}

// Joins what follows on an earlier row; the last rows are the likely ones.
void add(std::vector<Row>& rows, const Row& row) {
  const std::size_t oldest = rows.size() > 64 ? rows.size() - 64 : 0;
  for (std::size_t k = rows.size(); row.first >= 0 && k-- > oldest;) {
    Row& other = rows[k];
    if (other.before != row.before || other.after != row.after || other.last + 1 != row.first) continue;
    if (!(other.shape == row.shape) || other.role != row.role) continue;
    other.last = row.first;
    other.parameters += row.parameters;
    return;
  }
  rows.push_back(row);
}

std::string headline(const Recipe& recipe, const nn::Model& model) {
  const ModelRecipe& m = recipe.model;
  const bool last = m.branch == "activation_last";
  const std::string branch = last ? m.activation + "(W x + b)" : "W " + m.activation + "(x) + b";
  const std::string constants = model.constants();
  return fmt::format("{} {}: {} with F(x) = {}; depth {}, width {}, init {}\n{}source: {}\n", m.family, m.form,
                     model.formula(), branch, m.depth, m.width, m.init,
                     constants.empty() ? "" : "constants: " + constants + "\n", nn::row(nn::form_named(m.form)).source);
}

// "optimizer lamb: learning_rate 0.001, ..., eps 1e-06, trust_ratio of weight, embedding; schedule constant"
std::string optimizer_line(const Recipe& recipe) {
  std::string trusted, more;
  for (const Role role : all_roles)
    if (recipe.optimizer.role(role).trust_ratio.value_or(false))
      trusted += (trusted.empty() ? "" : ", ") + std::string(name(role));
  if (recipe.optimizer.name == "lamb") more = ", trust_ratio of " + (trusted.empty() ? "nothing" : trusted);
  if (recipe.optimizer.name == "muon") more = ", for matrices of weights, AdamW for the rest";
  const std::string schedule = settings_text(recipe, "schedule");
  return fmt::format("optimizer {}: {}{}; schedule {}{}{}\n", recipe.optimizer.name, settings_text(recipe, "optimizer"),
                     more, recipe.schedule.name, schedule.empty() ? "" : ": ", schedule);
}

}  // namespace

std::string model_summary(const Recipe& recipe, const nn::Model& model) {
  const ParameterStore& store = model.parameters();
  std::vector<Row> rows;
  for (int k = 0; k < store.size(); ++k) add(rows, row_of(store[k]));
  const auto count = [](std::int64_t n) { return grouped(static_cast<std::uint64_t>(n)); };
  std::vector<std::vector<std::string>> cells{{"parameter", "shape", "numbers", "role"}};
  for (const Row& row : rows)
    cells.push_back({row.name(), text(row.shape), count(row.parameters), std::string(name(row.role))});
  cells.push_back({"total", "", count(store.scalars()), ""});
  return headline(recipe, model) + optimizer_line(recipe) + "\n" + table_text(cells, "llrl") + "\n";
}

}  // namespace rz::tool
