// rezero data show: what a data set holds, in numbers and as a picture.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/contact_sheet.h"
#include "tools/rezero/data_commands.h"
#include "tools/rezero/model.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/show_text.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

// The recipe of a data set and nothing else: its keys are checked as those of any recipe.
Recipe recipe_of(const DataShowOptions& options) {
  if (options.name.empty()) throw UsageError("data show: no data set was named (rezero data show --help lists them)");
  const DatasetDescription& description =
      checked_usage("", [&]() -> auto& { return dataset_description(options.name); });
  for (const std::string& setting : options.settings)
    if (!setting.starts_with("data.") || setting.starts_with("data.name"))
      throw UsageError(
          fmt::format("--set: {} is no key of the data set (data.labels=coarse, say)", printable(setting)));
  std::vector<std::string> settings{"data.name=" + options.name};
  settings.insert(settings.end(), options.settings.begin(), options.settings.end());
  Recipe recipe = parse_recipe("", "data show", settings);
  if (!options.path.empty()) recipe.data.path = options.path;
  if (recipe.data.path.empty() && description.needs_path && description.known()) recipe.data.path = options.name;
  return recipe;
}

std::vector<std::int64_t> counts(const Dataset& data) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(data.classes()));
  for (const std::uint16_t label : data.labels) ++out[label];
  return out;
}

std::string type_text(const Dataset& data) { return data.real() ? std::string(name(data.values.dtype())) : "u8"; }

std::string report_of(const Recipe& recipe, const DataSplits& data) {
  constexpr std::size_t most_rows = 100;
  std::string out = recipe.data.name + "\n";
  const auto line = [&](std::string_view label, const std::string& value) {
    out += fmt::format("  {:<12}{}\n", label, value);
  };
  if (!recipe.data.path.empty()) line("path", absolute(recipe.data.path));
  line("examples", fmt::format("{} of {}{}", text(data.train.image_shape), type_text(data.train),
                               data.train.real() ? ", used as they are" : ", normalised when they are read"));
  for (const Dataset* split : {&data.train, &data.validation})
    line(split == &data.train ? "train" : "validation",
         fmt::format("{:>9}  {}", count_text(split->size()), split->checksum()));
  const std::vector<std::int64_t> train = counts(data.train), validation = counts(data.validation);
  std::vector<std::vector<std::string>> rows{{"class", "train", "validation"}};
  for (std::size_t k = 0; k < std::min(train.size(), most_rows); ++k)
    rows.push_back({printable(data.train.class_names[k]), count_text(train[k]), count_text(validation[k])});
  out += "\n" + table_text(rows, "lrr");
  if (train.size() > most_rows) out += fmt::format("and {} classes more (--json has all)\n", train.size() - most_rows);
  return out;
}

Json json_of(const Dataset& data) {
  return {{"examples", data.size()}, {"checksum", data.checksum()}, {"counts", counts(data)}};
}

std::string json_text(const Recipe& recipe, const DataSplits& data, const std::string& picture) {
  const auto extents = data.train.image_shape.extents();
  const Json json{{"name", recipe.data.name},
                  {"path", recipe.data.path.empty() ? Json() : Json(absolute(recipe.data.path))},
                  {"shape", std::vector<std::int64_t>(extents.begin(), extents.end())},
                  {"type", type_text(data.train)},
                  {"classes", data.train.class_names},
                  {"train", json_of(data.train)},
                  {"validation", json_of(data.validation)},
                  {"picture", picture.empty() ? Json() : Json(absolute(picture))}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int data_show(const DataShowOptions& options) {
  const Recipe recipe = recipe_of(options);
  std::string out = options.out.empty() ? options.name + ".png" : options.out;
  check_files(options.json, {options.out});
  const DataSplits data = load_data(recipe);
  if (data.train.is_text()) {
    if (!options.out.empty())
      throw UsageError(fmt::format("--out: {} is a text, of which there is no picture (leave it out)", options.name));
    print(options.json ? text_json(recipe, data) : text_report(recipe, data));
    return exit_success;
  }
  if (is_drawable(data.train)) {
    write_atomically(out, png(contact_sheet(data.train)));
  } else {
    if (!options.out.empty())
      throw UsageError(
          fmt::format("--out: the examples of {} are {}, images of 1 or 3 channels can be drawn (leave it out)",
                      options.name, text(data.train.image_shape)));
    out.clear();
  }
  if (!out.empty() && takes_standard_output({out})) return exit_success;
  if (options.json) {
    print(json_text(recipe, data, out));
  } else {
    print(report_of(recipe, data) +
          (out.empty()
               ? ""
               : fmt::format("\nwritten: {} (a row per class, the first training examples of each)\n", absolute(out))));
  }
  return exit_success;
}

}  // namespace rz::tool
