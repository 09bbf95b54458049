// Kinds of keys, of which the table in recipe_keys.cpp is made.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rezero/recipe_keys.h"

namespace rz::tool {

constexpr std::int64_t million = 1'000'000;

template <class T>
using Field = std::function<T&(Recipe&)>;
template <class T>
const T& get(const Field<T>& field, const Recipe& recipe) {
  return field(const_cast<Recipe&>(recipe));
}

// `name`: "section.key". Bounds are included; `open`: but for `low`.
Key key(std::string_view name, std::function<void(Recipe&, const Value&)> read,
        std::function<std::string(const Recipe&)> write);
Key integer(std::string_view name, Field<std::int64_t> field, std::int64_t low, std::int64_t high = no_end);
Key real(std::string_view name, Field<double> field, double low, double high = infinity, bool open = false);
Key optional_real(std::string_view name, Field<std::optional<double>> field, double low, double high = infinity,
                  bool open = false);
Key word(std::string_view name, Field<std::string> field, std::vector<std::string_view> words);
Key optional_word(std::string_view name, Field<std::string> field, std::vector<std::string_view> words);
Key boolean(std::string_view name, Field<bool> field);
// A number for all layers, or a list with one per layer; empty: not given.
Key per_layer(std::string_view name, Field<std::vector<double>> field);

// Written only where the rest of the recipe has a use for it.
Key only_if(Key inner, bool (*useful)(const Recipe&));
// Whose 0 stands for a key that was left out.
Key unless_zero(Key inner);
// An option of some data sets alone.
Key of_datasets(std::vector<std::string_view> names, Key inner);

// A key of some families of models alone.
Key of_families(std::vector<std::string_view> families, Key inner);

// A key that the form fills in when it is empty.
template <class F>
Key of_form(Key inner, F field) {
  inner.forget = [=](Recipe& r) { field(r).clear(); };
  return inner;
}

// Keys that only some optimisers, or schedules, have.
template <class T>
Key of_some(Key inner, Field<std::optional<T>> field) {
  inner.forget = [=](Recipe& r) { field(r).reset(); };
  return inner;
}
Key some_real(std::string_view name, Field<std::optional<double>> field, double low, double high = infinity,
              bool open = false);
Key some_integer(std::string_view name, Field<std::optional<std::int64_t>> field);
Key some_flag(std::string_view name, Field<std::optional<bool>> field);

}  // namespace rz::tool
