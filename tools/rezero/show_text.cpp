#include "tools/rezero/show_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/entropy.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

struct NamedSplit {
  std::string_view name;
  const Dataset& data;
};

std::vector<NamedSplit> splits_of(const DataSplits& data) {
  std::vector<NamedSplit> splits{{"train", data.train}, {"validation", data.validation}};
  if (data.test.size() > 0) splits.push_back({"test", data.test});
  return splits;
}

bool has_bytes(const Recipe& recipe) { return recipe.data.name != "reverse" && recipe.data.text.level == "byte"; }

// A stretch of tokens as one line; bytes without blanks between them.
std::string tokens_text(const Recipe& recipe, const Dataset& data, std::int64_t first, std::int64_t count) {
  std::string out;
  for (std::int64_t i = first; i < first + count; ++i) {
    const std::string& name = data.class_names[data.tokens[static_cast<std::size_t>(i)]];
    if (has_bytes(recipe)) {
      out += name;
    } else {
      out += (i == first ? "" : " ") + printable(name);
    }
  }
  return out;
}

// The starts of a few windows, evenly spaced; of reverse whole rows, with their labels.
std::vector<std::string> sample_windows(const Recipe& recipe, const Dataset& data) {
  constexpr std::int64_t windows = 4, most_tokens = 80;
  const Windows& w = data.windows;
  const std::int64_t shown = recipe.data.name == "reverse" ? w.step : std::min(w.context, most_tokens);
  std::vector<std::string> out;
  for (std::int64_t k = 0; k < std::min(windows, data.size()); ++k) {
    const std::int64_t start = std::min(data.size() * k / windows * w.step, std::ssize(data.tokens) - shown);
    out.push_back(tokens_text(recipe, data, start, shown));
  }
  return out;
}

Json json_of_split(const Dataset& data) {
  return {{"examples", data.size()}, {"tokens", data.tokens.size()}, {"checksum", data.checksum()}};
}

}  // namespace

std::string text_report(const Recipe& recipe, const DataSplits& data) {
  std::string out = recipe.data.name + "\n";
  const auto line = [&](std::string_view label, const std::string& value) {
    out += fmt::format("  {:<12}{}\n", label, value);
  };
  const Dataset& train = data.train;
  if (!recipe.data.path.empty()) line("path", absolute(recipe.data.path));
  line("examples",
       fmt::format("{} tokens with {} labels", count_text(train.windows.context), count_text(train.windows.labels)));
  line("vocabulary", fmt::format("{} {}", count_text(train.classes()),
                                 has_bytes(recipe)               ? "bytes"
                                 : recipe.data.name == "reverse" ? "symbols"
                                                                 : "words"));
  line("entropy", fmt::format("{:.4f} bits per token, {:.4f} knowing the token before", unigram_entropy(train.tokens),
                              bigram_entropy(train.tokens)));
  std::vector<std::vector<std::string>> rows{{"split", "tokens", "examples", "checksum"}};
  for (const NamedSplit& split : splits_of(data))
    rows.push_back({std::string(split.name), count_text(std::ssize(split.data.tokens)), count_text(split.data.size()),
                    split.data.checksum()});
  out += "\n" + table_text(rows, "lrrl") + "\n";
  for (const std::string& window : sample_windows(recipe, train)) out += "  " + window + "\n";
  return out;
}

std::string text_json(const Recipe& recipe, const DataSplits& data) {
  Json json{{"name", recipe.data.name},
            {"path", recipe.data.path.empty() ? Json() : Json(absolute(recipe.data.path))},
            {"context", data.train.windows.context},
            {"labels", data.train.windows.labels},
            {"vocabulary", data.train.class_names},
            {"unigram_entropy", unigram_entropy(data.train.tokens)},
            {"bigram_entropy", bigram_entropy(data.train.tokens)}};
  for (const NamedSplit& split : splits_of(data)) json[std::string(split.name)] = json_of_split(split.data);
  json["windows"] = sample_windows(recipe, data.train);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace rz::tool
