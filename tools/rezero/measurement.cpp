#include "tools/rezero/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/run.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

Json as_json(const Measurement& m) {
  Json json = {{"name", m.name},     {"threads", m.threads}, {"unit", m.unit},
               {"median", m.median}, {"low", m.low},         {"high", m.high}};
  if (m.roof) json["roof"] = *m.roof;
  return json;
}

Measurement from_json(const Json& json) {
  Measurement m{printable(json.at("name").get<std::string>()),
                json.at("threads").get<int>(),
                printable(json.at("unit").get<std::string>()),
                json.at("median").get<double>(),
                json.at("low").get<double>(),
                json.at("high").get<double>(),
                std::nullopt};
  if (json.contains("roof")) m.roof = json["roof"].get<double>();
  RZ_CHECK(value, 0 < m.low && m.low <= m.median && m.median <= m.high,
           "{}: low, median and high are not positive numbers in this order", m.name);
  return m;
}

}  // namespace

Measurement duration(std::string name, const Times& times) {
  return {std::move(name),        threads(),   "ms", times.median_ms(), times.quantile_ms(0.1),
          times.quantile_ms(0.9), std::nullopt};
}

Measurement rate(std::string name, std::string unit, double giga, const Times& times, std::optional<double> roof) {
  const auto at = [&](double quantile) { return 1e3 * giga / times.quantile_ms(quantile); };
  return {std::move(name), threads(), std::move(unit), at(0.5), at(0.9), at(0.1), roof};
}

bool larger_is_better(const Measurement& m) { return m.unit.ends_with("/s"); }
bool has_spread(const Measurement& m) { return m.low < m.high; }

std::string bench_document(Json fields, const std::vector<Measurement>& measurements) {
  fields["machine"] = machine_line();
  Json& list = fields["measurements"] = Json::array();
  for (const Measurement& m : measurements) list.push_back(as_json(m));
  return fields.dump() + "\n";
}

BenchDocument read_bench_document(std::string_view path) {
  BenchDocument document{absolute(path), "", {}};
  const std::string text = read_file(path);
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    RZ_FAIL(file, "{}: is not JSON: {}", document.path, reason_of(error));
  }
  RZ_CHECK(file, json.is_object() && json.contains("measurements") && !json["measurements"].empty(),
           "{}: holds no measurements (rezero bench NAME --out FILE writes them)", document.path);
  try {
    document.machine = printable(json.value("machine", ""));
    for (const Json& entry : json["measurements"]) document.measurements.push_back(from_json(entry));
  } catch (const std::exception& error) {
    RZ_FAIL(file, "{}: its measurements cannot be understood: {}", document.path, reason_of(error));
  }
  return document;
}

std::string value_text(double value) {
  const int digits = value < 1 ? 3 : value < 10 ? 2 : value < 1000 ? 1 : 0;
  return fmt::format("{:.{}f}", value, digits);
}

std::string reached_text(const Measurement& m) {
  return value_text(m.median) + (m.roof ? fmt::format(" ({:3.0f} %)", 100 * m.median / *m.roof) : "");
}

std::string spread_text(const Measurement& m) {
  if (!has_spread(m)) return value_text(m.median);
  return fmt::format("{} [{}, {}]", value_text(m.median), value_text(m.low), value_text(m.high));
}

std::string threads_text(std::int64_t threads) { return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s"); }

std::string measurement_table(const std::string& what, const std::vector<Measurement>& measurements,
                              const std::function<std::string(const Measurement&)>& cell) {
  std::vector<std::vector<std::string>> rows{{what, "unit"}};
  std::vector<int> columns;
  for (const Measurement& m : measurements) {
    if (std::ranges::find(columns, m.threads) != columns.end()) continue;
    columns.push_back(m.threads);
    rows.front().push_back(threads_text(m.threads));
  }
  for (const Measurement& m : measurements) {
    auto row = std::ranges::find(rows, m.name, [](const auto& cells) { return cells.front(); });
    if (row == rows.end()) row = rows.insert(row, {m.name, m.unit});
    row->push_back(cell(m));
  }
  return table_text(rows, "ll" + std::string(columns.size(), 'r'));
}

}  // namespace rz::tool
