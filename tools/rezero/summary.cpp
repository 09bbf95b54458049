// The table of a model's parameters.
#include <fmt/format.h>

#include <vector>

#include "core/error.h"
#include "data/text.h"
#include "nn/forms.h"
#include "tools/rezero/model.h"
#include "tools/rezero/name_groups.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

std::string shape_text(const ModelRecipe& m) {
  if (m.has_depth()) return fmt::format("depth {}, width {}", m.depth, m.width);
  if (m.is_resnet()) return fmt::format("{} layers, norm {}", m.layers, m.norm);
  return fmt::format("{} layers, d_model {}, {} heads, feed_forward {}", m.layers, m.d_model, m.heads, m.feed_forward);
}

std::string branch_text(const ModelRecipe& m) {
  if (m.is_resnet()) return "a block's convolutions";
  if (m.family == "cnn") return m.activation + "(W * x + b)";
  if (!m.is_fc()) return "a sub-layer: attention, or W " + m.activation + "(W z + b) + b";
  const bool last = m.branch == "activation_last";
  const std::string bias = nn::row(nn::form_named(m.form)).scalar_biases ? "" : " + b";
  return last ? m.activation + "(W x" + bias + ")" : "W " + m.activation + "(x)" + bias;
}

std::string headline(const Recipe& recipe, const nn::Model& model) {
  const ModelRecipe& m = recipe.model;
  const std::string constants = model.constants();
  return fmt::format("{} {}: {} with F(x) = {}; {}, init {}\n{}source: {}\n", m.family, m.form, model.formula(),
                     branch_text(m), shape_text(m), m.init, constants.empty() ? "" : "constants: " + constants + "\n",
                     nn::row(nn::form_named(m.form)).source);
}

// "optimizer lamb: learning_rate 0.001, ..., eps 1e-06, trust_ratio of weight, embedding; schedule constant"
std::string optimizer_line(const Recipe& recipe) {
  std::string trusted, more;
  for (const Role role : all_roles)
    if (recipe.optimizer.role(role).trust_ratio.value_or(false))
      trusted += (trusted.empty() ? "" : ", ") + std::string(name(role));
  if (recipe.optimizer.name == "lamb") more = ", trust_ratio of " + (trusted.empty() ? "nothing" : trusted);
  if (recipe.optimizer.name == "muon") more = ", for matrices of weights, AdamW for the rest";
  if (recipe.base_depth) {
    const optim::LayerOptions& layers = recipe.optimizer.layers;
    more += fmt::format("; in the layers rate x m^(p-1) = {:.4g}, eps x m^-p = {:.4g} (m = {}/{}, CompleteP)",
                        layers.rate_factor, layers.eps_factor, recipe.model.layer_count(), *recipe.base_depth);
  }
  const std::string schedule = settings_text(recipe, "schedule");
  return fmt::format("optimizer {}: {}{}; schedule {}{}{}\n", recipe.optimizer.name, settings_text(recipe, "optimizer"),
                     more, recipe.schedule.name, schedule.empty() ? "" : ": ", schedule);
}

}  // namespace

std::string model_summary(const Recipe& recipe, const nn::Model& model) {
  const ParameterStore& store = model.parameters();
  std::vector<NamedKind> kinds;
  for (int k = 0; k < store.size(); ++k)
    kinds.push_back({store[k].name(), text(store[k].shape()) + std::string(name(store[k].role()))});
  const auto count = [](std::int64_t n) { return grouped(static_cast<std::uint64_t>(n)); };
  std::vector<std::vector<std::string>> cells{{"parameter", "shape", "numbers", "role"}};
  for (const NameGroup& group : group_names(kinds)) {
    const Parameter one = store[static_cast<int>(group.members[0])];
    cells.push_back({group.name, text(one.shape()), count(std::ssize(group.members) * one.shape().elements()),
                     std::string(name(one.role()))});
  }
  cells.push_back({"total", "", count(store.scalars()), ""});
  return headline(recipe, model) + optimizer_line(recipe) + "\n" + table_text(cells, "llrl") + "\n";
}

}  // namespace rz::tool
