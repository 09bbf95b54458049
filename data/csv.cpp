#include "data/csv.h"

#include <fmt/format.h>

#include "core/error.h"

namespace rz {

// Text with a comma, quote or line feed stands in quotes, quotes are doubled.
std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

Csv::Csv(std::initializer_list<std::string_view> columns) : columns_(columns.size()) {
  RZ_ASSERT(columns_ > 0);
  for (std::string_view name : columns) cell(name);
  text_.back() = '\n';
}

Csv::Csv(std::span<const std::string> columns) : columns_(columns.size()) {
  RZ_ASSERT(columns_ > 0);
  for (const std::string& name : columns) cell(name);
  text_.back() = '\n';
}

Csv& Csv::row(std::span<const double> values) {
  RZ_CHECK(value, values.size() == columns_, "csv: {} values were given for {} columns", values.size(), columns_);
  for (double value : values) fmt::format_to(std::back_inserter(text_), "{},", value);
  text_.back() = '\n';
  return *this;
}

void Csv::cell(std::string_view text) { text_ += csv_cell(text) + ','; }

}  // namespace rz
