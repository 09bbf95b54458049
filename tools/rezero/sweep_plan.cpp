#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/model.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/sweep.h"

namespace rz::tool {
namespace {

constexpr std::int64_t most_runs = 10000;

std::string last_word(std::string_view key) { return std::string(key.substr(key.rfind('.') + 1)); }

// Values as parts of a folder's name: what a shell or a file system minds becomes '_'.
std::string as_name(std::string_view value) {
  std::string name;
  for (const char c : value)
    if (c != '"' && c != '\'')
      name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '+' ? c : '_';
  return name;
}

// The last word of a key, or the whole of it where two grids end alike.
std::vector<std::string> short_keys(std::span<const Grid> grids) {
  std::vector<std::string> names;
  for (const Grid& grid : grids) {
    const auto same = [&](const Grid& g) { return last_word(g.key) == last_word(grid.key); };
    names.push_back(std::ranges::count_if(grids, same) > 1 ? grid.key : last_word(grid.key));
  }
  return names;
}

void check(std::span<const Grid> grids, std::int64_t seeds) {
  std::int64_t runs = seeds;
  std::set<std::string> keys;
  for (const Grid& grid : grids) {
    if (!keys.insert(grid.key).second) throw UsageError(fmt::format("--grid: {} was given twice", grid.key));
    if (grid.key == "train.seed") throw UsageError("--grid: train.seed is what --seeds varies (--seeds N)");
    runs = std::min(most_runs + 1, runs * std::ssize(grid.values));
  }
  if (runs > most_runs) throw UsageError(fmt::format("sweep: more than {} runs were asked for", most_runs));
}

}  // namespace

Grid parse_grid(std::string_view text) {
  const std::size_t equal = text.find('=');
  if (equal == std::string_view::npos)
    throw UsageError(fmt::format("--grid: '{}' has no '=' (write --grid section.key=v1,v2,...)", printable(text)));
  Grid grid{std::string(trimmed(text.substr(0, equal))), {}};
  int depth = 0;
  char quote = 0;
  std::string value;
  const auto end_value = [&] {
    if (trimmed(value).empty()) throw UsageError(fmt::format("--grid: {} has an empty value", printable(grid.key)));
    if (std::ranges::find(grid.values, trimmed(value)) != grid.values.end())
      throw UsageError(
          fmt::format("--grid: {} has the value {} twice", printable(grid.key), printable(trimmed(value))));
    grid.values.emplace_back(trimmed(value));
    value.clear();
  };
  for (const char c : text.substr(equal + 1)) {
    if (quote) {
      quote = c == quote ? '\0' : quote;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else {
      depth += (c == '[') - (c == ']');
    }
    if (c == ',' && depth == 0 && !quote)
      end_value();
    else
      value += c;
  }
  end_value();
  return grid;
}

SweepPlan plan_sweep(const std::string& recipe, std::span<const std::string> settings,
                     std::span<const std::string> grids, std::int64_t seeds) {
  SweepPlan plan{recipe, {}, {}};
  for (const std::string& text : grids) plan.grids.push_back(parse_grid(text));
  check(plan.grids, seeds);
  const std::vector<std::string> keys = short_keys(plan.grids);
  std::vector<std::string> first(settings.begin(), settings.end());
  for (const Grid& grid : plan.grids) first.push_back(grid.key + "=" + grid.values[0]);
  const std::int64_t first_seed = load_recipe(recipe, first).train.seed;
  std::vector<std::size_t> at(plan.grids.size(), 0);
  std::set<std::string> folders;
  for (bool more = true; more;) {
    SweepRun run{{}, first_seed, {}, {settings.begin(), settings.end()}};
    for (std::size_t k = 0; k < at.size(); ++k) {
      run.values.push_back(plan.grids[k].values[at[k]]);
      run.settings.push_back(plan.grids[k].key + "=" + run.values[k]);
      run.folder += keys[k] + "=" + as_name(run.values[k]) + ",";
    }
    declare_model(load_recipe(recipe, run.settings));  // what is wrong shows before anything is trained
    const std::string folder = run.folder;
    const std::vector<std::string> chosen = run.settings;
    for (; run.seed < first_seed + seeds; ++run.seed) {
      run.folder = fmt::format("{}seed={}", folder, run.seed);
      run.settings = chosen;
      run.settings.push_back(fmt::format("train.seed={}", run.seed));
      if (!folders.insert(run.folder).second)
        throw UsageError(fmt::format("--grid: two runs would lie in the folder {} (give values that differ in letters)",
                                     printable(run.folder)));
      plan.runs.push_back(run);
    }
    more = false;
    for (std::size_t k = at.size(); k-- > 0 && !more;) {
      more = ++at[k] < plan.grids[k].values.size();
      if (!more) at[k] = 0;
    }
  }
  return plan;
}

}  // namespace rz::tool
