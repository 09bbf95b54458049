#include "tools/rezero/recipe_key_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rz::tool {
namespace {

std::string text(double value) { return fmt::format("{}", value); }

}  // namespace

Key key(std::string_view name, std::function<void(Recipe&, const Value&)> read,
        std::function<std::string(const Recipe&)> write) {
  const std::size_t dot = name.rfind('.');
  return {std::string(name.substr(0, dot)),
          std::string(name.substr(dot + 1)),
          std::move(read),
          std::move(write),
          {},
          {},
          {}};
}

Key integer(std::string_view name, Field<std::int64_t> field, std::int64_t low, std::int64_t high) {
  return key(
      name, [=](Recipe& r, const Value& v) { field(r) = integer_in(v, low, high); },
      [=](const Recipe& r) { return fmt::format("{}", get(field, r)); });
}

Key real(std::string_view name, Field<double> field, double low, double high, bool open) {
  return key(
      name, [=](Recipe& r, const Value& v) { field(r) = real_in(v, low, high, open); },
      [=](const Recipe& r) { return text(get(field, r)); });
}

Key optional_real(std::string_view name, Field<std::optional<double>> field, double low, double high, bool open) {
  return key(
      name, [=](Recipe& r, const Value& v) { field(r) = real_in(v, low, high, open); },
      [=](const Recipe& r) { return get(field, r) ? text(*get(field, r)) : ""; });
}

Key word(std::string_view name, Field<std::string> field, std::vector<std::string_view> words) {
  return key(
      name, [=](Recipe& r, const Value& v) { field(r) = word_of(v, words); },
      [=](const Recipe& r) { return toml_string(get(field, r)); });
}

Key optional_word(std::string_view name, Field<std::string> field, std::vector<std::string_view> words) {
  return key(
      name, [=](Recipe& r, const Value& v) { field(r) = word_of(v, words); },
      [=](const Recipe& r) { return get(field, r).empty() ? "" : toml_string(get(field, r)); });
}

Key boolean(std::string_view name, Field<bool> field) {
  return key(
      name,
      [=](Recipe& r, const Value& v) {
        if (v.kind != Value::boolean) refuse(v, "true or false");
        field(r) = v.truth;
      },
      [=](const Recipe& r) { return get(field, r) ? "true" : "false"; });
}

Key per_layer(std::string_view name, Field<std::vector<double>> field) {
  return key(
      name,
      [=](Recipe& r, const Value& v) {
        std::vector<double>& values = field(r);
        values.clear();
        if (v.kind != Value::list) values = {real_in(v, -infinity, infinity, false)};
        for (const Value& item : v.items) values.push_back(real_in(item, -infinity, infinity, false));
        if (values.empty()) refuse(v, "a number, or a list of numbers with one per layer");
      },
      [=](const Recipe& r) {
        const std::vector<double>& values = get(field, r);
        return values.empty()       ? ""
               : values.size() == 1 ? text(values[0])
                                    : fmt::format("[{}]", fmt::join(values, ", "));
      });
}

Key only_if(Key inner, bool (*useful)(const Recipe&)) {
  inner.write = [write = inner.write, useful](const Recipe& r) { return useful(r) ? write(r) : ""; };
  return inner;
}

Key unless_zero(Key inner) {
  inner.write = [write = inner.write](const Recipe& r) {
    const std::string value = write(r);
    return value == "0" ? "" : value;
  };
  return inner;
}

Key of_datasets(std::vector<std::string_view> names, Key inner) {
  inner.datasets = std::move(names);
  inner.write = [write = inner.write, owners = inner.datasets](const Recipe& r) {
    return std::ranges::find(owners, r.data.name) != owners.end() ? write(r) : "";
  };
  return inner;
}

Key of_families(std::vector<std::string_view> families, Key inner) {
  inner.write = [write = inner.write, families](const Recipe& r) {
    return std::ranges::find(families, r.model.family) == families.end() ? "" : write(r);
  };
  inner.families = std::move(families);
  return inner;
}

Key some_real(std::string_view name, Field<std::optional<double>> field, double low, double high, bool open) {
  return of_some(optional_real(name, field, low, high, open), field);
}

Key some_integer(std::string_view name, Field<std::optional<std::int64_t>> field) {
  return of_some(key(
                     name, [=](Recipe& r, const Value& v) { field(r) = integer_in(v, 1, million * million); },
                     [=](const Recipe& r) { return get(field, r) ? std::to_string(*get(field, r)) : ""; }),
                 field);
}

Key some_flag(std::string_view name, Field<std::optional<bool>> field) {
  return of_some(key(
                     name,
                     [=](Recipe& r, const Value& v) {
                       if (v.kind != Value::boolean) refuse(v, "true or false");
                       field(r) = v.truth;
                     },
                     [=](const Recipe& r) { return !get(field, r)   ? ""
                                                   : *get(field, r) ? "true"
                                                                    : "false"; }),
                 field);
}

}  // namespace rz::tool
