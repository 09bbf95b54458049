// What people are told of a recipe's optimiser and schedule.
#include <fmt/format.h>

#include "tools/rezero/recipe.h"
#include "tools/rezero/recipe_keys.h"

namespace rz::tool {

std::string settings_text(const Recipe& recipe, std::string_view section) {
  std::string text;
  for (const Key& key : keys()) {
    const std::string value = key.write(recipe);
    const bool off = key.name == "clip_norm" && value == "0";
    if (key.section != section || key.name == "name" || value.empty() || off) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key.name, value);
  }
  return text;
}

std::string choices_text(std::string_view section) {
  std::string text;
  const auto add = [&](std::string_view name, const Recipe& recipe) {
    const std::string settings = settings_text(recipe, section);
    text += settings.empty() ? fmt::format("  {}\n", name) : fmt::format("  {:<15}{}\n", name, settings);
  };
  Recipe recipe;
  if (section == "optimizer") {
    for (const optim::OptimizerOptions& rule : optim::optimizer_rules()) {
      recipe.optimizer = rule;
      add(rule.name, recipe);
    }
  } else {
    for (const optim::ScheduleOptions& row : optim::schedule_rows()) {
      recipe.schedule = row;
      add(row.name, recipe);
    }
  }
  return text;
}

}  // namespace rz::tool
