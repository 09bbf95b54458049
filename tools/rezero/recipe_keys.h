// The table of a recipe's keys: where each stands, how its value is read and checked, and how it is written.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rezero/recipe.h"
#include "tools/rezero/recipe_value.h"

namespace rz::tool {

struct Key {
  std::string section, name;                        // "optimizer.weight", "rate_factor"
  std::function<void(Recipe&, const Value&)> read;  // Throws: UsageError, as "is a string, but must be an integer"
  std::function<std::string(const Recipe&)> write;  // the value as TOML; "" where the recipe has none
  std::vector<std::string_view> datasets{};         // those to which it belongs; empty: all
  std::vector<std::string_view> families{};         // of models to which it belongs; empty: all
  std::function<void(Recipe&)> forget{};            // as if never set; of keys that only some optimisers, or schedules,
                                                    // have
  std::string full() const { return section + "." + name; }
};

std::span<const Key> keys();  // by section, in the order in which they are written
const Key* find_key(std::string_view full);

}  // namespace rz::tool
