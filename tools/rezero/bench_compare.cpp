// rezero bench compare: two documents side by side, so that a change that slows a kernel is seen.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "tools/rezero/bench.h"
#include "tools/rezero/command.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

enum class Change { within_spread, faster, slower };

struct Pair {
  Measurement before, after;
  double speed_up;  // above 1: faster
  Change change;
};

struct BenchComparison {
  BenchDocument before, after;
  std::vector<Pair> pairs;
  std::vector<Measurement> only_before, only_after;
  std::int64_t count(Change change) const { return std::ranges::count(pairs, change, &Pair::change); }
};

Pair pair(const Measurement& before, const Measurement& after) {
  const double speed_up = larger_is_better(after) ? after.median / before.median : before.median / after.median;
  // Nothing is known of the spread of a single run.
  const bool apart = has_spread(before) && has_spread(after) && (before.high < after.low || after.high < before.low);
  return {before, after, speed_up, !apart ? Change::within_spread : speed_up > 1 ? Change::faster : Change::slower};
}

const Measurement* match(const Measurement& m, const std::vector<Measurement>& others) {
  const auto found = std::ranges::find_if(others, [&](const Measurement& other) {
    return other.name == m.name && other.threads == m.threads && other.unit == m.unit;
  });
  return found == others.end() ? nullptr : &*found;
}

BenchComparison compare(BenchDocument before, BenchDocument after) {
  BenchComparison c{std::move(before), std::move(after), {}, {}, {}};
  for (const Measurement& m : c.before.measurements) {
    if (const Measurement* const now = match(m, c.after.measurements))
      c.pairs.push_back(pair(m, *now));
    else
      c.only_before.push_back(m);
  }
  for (const Measurement& m : c.after.measurements)
    if (!match(m, c.before.measurements)) c.only_after.push_back(m);
  return c;
}

std::set<int> thread_counts(const std::vector<Measurement>& measurements) {
  std::set<int> counts;
  for (const Measurement& m : measurements) counts.insert(m.threads);
  return counts;
}

std::string change_text(const Pair& p) {
  const bool faster = p.speed_up >= 1;
  return fmt::format("{:.2f}x {}{}", faster ? p.speed_up : 1 / p.speed_up, faster ? "faster" : "slower",
                     p.change == Change::within_spread ? "" : " *");
}

// "old" and "new" in two lines.
std::string two_lines(const std::string& before, const std::string& after) {
  return fmt::format("  old: {}\n  new: {}\n", before, after);
}

std::string differences(const BenchComparison& c) {
  std::string text;
  if (c.before.machine != c.after.machine)
    text += "The machines differ:\n" + two_lines(c.before.machine, c.after.machine);
  const std::set<int> before = thread_counts(c.before.measurements), after = thread_counts(c.after.measurements);
  if (before != after)
    text += "The numbers of threads differ:\n" +
            two_lines(fmt::format("{}", fmt::join(before, ", ")), fmt::format("{}", fmt::join(after, ", ")));
  return text.empty() ? "" : text + "\n";
}

std::string pairs_table(const BenchComparison& c, int threads) {
  std::vector<std::vector<std::string>> rows{{threads_text(threads), "unit", "old", "new", "change"}};
  for (const Pair& p : c.pairs) {
    if (p.before.threads != threads) continue;
    rows.push_back({p.before.name, p.before.unit, spread_text(p.before), spread_text(p.after), change_text(p)});
  }
  return rows.size() == 1 ? "" : table_text(rows, "llrrl") + "\n";
}

std::string unmatched(std::string_view which, const std::vector<Measurement>& measurements) {
  if (measurements.empty()) return "";
  std::string text = fmt::format("Only in the {} file:\n", which);
  for (const Measurement& m : measurements)
    text += fmt::format("  {}, {}: {} {}\n", m.name, threads_text(m.threads), spread_text(m), m.unit);
  return text + "\n";
}

std::string as_text(const BenchComparison& c) {
  std::string text = two_lines(c.before.path, c.after.path) + "\n" + differences(c);
  for (const int threads : thread_counts(c.before.measurements)) text += pairs_table(c, threads);
  text += unmatched("old", c.only_before) + unmatched("new", c.only_after);
  text += fmt::format("Beyond the spread (*): {} slower, {} faster. Within it: {}.\n", c.count(Change::slower),
                      c.count(Change::faster), c.count(Change::within_spread));
  return text +
         "Medians with [10th, 90th percentile]; a change is beyond the spread where these ranges do not overlap.\n";
}

std::string as_json(const BenchComparison& c) {
  using Json = nlohmann::ordered_json;
  const auto spread = [](const Measurement& m) { return Json{{"median", m.median}, {"low", m.low}, {"high", m.high}}; };
  const auto side = [](const BenchDocument& document, const std::vector<Measurement>& only) {
    Json names = Json::array();
    for (const Measurement& m : only) names.push_back({{"name", m.name}, {"threads", m.threads}, {"unit", m.unit}});
    return Json{{"path", document.path}, {"machine", document.machine}, {"unmatched", names}};
  };
  Json pairs = Json::array();
  for (const Pair& p : c.pairs)
    pairs.push_back({{"name", p.before.name},
                     {"threads", p.before.threads},
                     {"unit", p.before.unit},
                     {"old", spread(p.before)},
                     {"new", spread(p.after)},
                     {"speed_up", p.speed_up},
                     {"change", p.change == Change::slower   ? "slower"
                                : p.change == Change::faster ? "faster"
                                                             : "within_spread"}});
  const Json json = {{"old", side(c.before, c.only_before)},
                     {"new", side(c.after, c.only_after)},
                     {"slower", c.count(Change::slower)},
                     {"faster", c.count(Change::faster)},
                     {"compared", pairs}};
  return json.dump() + "\n";
}

}  // namespace

int bench_compare(const std::string& old_path, const std::string& new_path, bool json) {
  const BenchComparison comparison = compare(read_bench_document(old_path), read_bench_document(new_path));
  print(json ? as_json(comparison) : as_text(comparison));
  return comparison.count(Change::slower) > 0 ? exit_failure : exit_success;
}

}  // namespace rz::tool
