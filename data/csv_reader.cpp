#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>

#include "core/error.h"
#include "core/nearest.h"
#include "data/csv.h"
#include "data/text.h"

namespace rz {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// from_chars, which knows no plus sign. `error` is set when the whole text is no number, or too large a one.
double number_of(std::string_view text, std::errc& error) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  error = status == std::errc() && end != text.data() + text.size() ? std::errc::invalid_argument : status;
  return value;
}
bool is_number(std::string_view text) {
  std::errc error{};
  number_of(text, error);
  return error == std::errc();
}

// Cuts the text into lines of cells.
class Cutter {
 public:
  Cutter(std::string_view text, std::string_view what) : text_(text), what_(what) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }
  bool at_end() const { return text_.empty(); }
  std::int64_t line() const { return line_; }  // that of the cells last read
  const std::vector<std::string_view>& cells() const { return cells_; }

  void next() {
    line_ = next_line_++;
    cells_.clear();
    unquoted_.clear();
    for (bool more = true; more;) more = cell();
  }

 private:
  // Reads one cell and what ends it; whether the line goes on.
  bool cell() {
    std::size_t end = 0;
    const std::size_t first = text_.find_first_not_of(" \t");
    if (first != std::string_view::npos && text_[first] == '"') {
      end = quoted(first);
    } else {
      end = std::min(text_.find_first_of(",\n"), text_.size());
      cells_.push_back(trimmed(text_.substr(0, end)));
      if (end == text_.size() || text_[end] == '\n') strip_return(cells_.back());
    }
    const bool more = end < text_.size() && text_[end] == ',';
    text_.remove_prefix(std::min(text_.size(), end + 1));
    return more;
  }

  // The cell whose quote stands at `at`; returns where the comma or line feed behind it stands.
  std::size_t quoted(std::size_t at) {
    std::string& cell = unquoted_.emplace_back();
    for (++at; at < text_.size(); ++at) {
      if (text_[at] == '\n') ++next_line_;
      if (text_[at] == '"' && text_.substr(at + 1, 1) != "\"") break;
      if (text_[at] == '"') ++at;
      cell += text_[at];
    }
    const std::size_t column = cells_.size() + 1;
    RZ_CHECK(file, at < text_.size(), "{}: line {}, column {}: its quotes are not closed", what_, line_, column);
    cells_.push_back(cell);
    const std::size_t end = std::min(text_.find_first_of(",\n", at), text_.size());
    std::string_view behind = text_.substr(at + 1, end - at - 1);
    strip_return(behind);
    RZ_CHECK(file, trimmed(behind).empty(), "{}: line {}, column {}: has text behind its closing quote", what_, line_,
             column);
    return end;
  }

  static void strip_return(std::string_view& text) {
    if (text.ends_with('\r')) text = trimmed(text.substr(0, text.size() - 1));
  }

  std::string_view text_, what_;
  std::int64_t line_ = 0, next_line_ = 1;
  std::vector<std::string_view> cells_;
  std::deque<std::string> unquoted_;  // what cells_ shows of quoted cells
};

bool is_blank(const std::vector<std::string_view>& cells) { return cells.size() == 1 && cells[0].empty(); }

bool is_header(const std::vector<std::string_view>& cells, const CsvColumn& column) {
  if (!column.name.empty()) return true;
  const std::int64_t index = column.index < 0 ? std::ssize(cells) - 1 : column.index;
  if (index < std::ssize(cells) && !is_number(cells[static_cast<std::size_t>(index)])) return true;
  return std::ranges::none_of(cells, is_number);
}

std::int64_t find_column(const CsvTable& table, const CsvColumn& column, std::string_view what) {
  if (column.name.empty()) {
    RZ_CHECK(file, column.index < table.columns, "{}: has {} columns, there is none with index {} (they count from 0)",
             what, table.columns, column.index);
    return column.index < 0 ? table.columns - 1 : column.index;
  }
  const auto found = std::ranges::find(table.header, column.name);
  if (found != table.header.end()) return found - table.header.begin();
  const std::vector<std::string_view> names(table.header.begin(), table.header.end());
  RZ_FAIL(file, "{}: has no column '{}'{}", what, printable(column.name), printable(did_you_mean(column.name, names)));
}

double value_of(std::string_view cell, std::string_view what, std::int64_t line, std::size_t column) {
  std::errc error{};
  const double value = number_of(cell, error);
  if (error == std::errc() && std::isfinite(value)) return value;
  const std::string shown = cell.empty() ? "is empty" : "'" + printable(cell) + "' is ";
  RZ_FAIL(file, "{}: line {}, column {}: {}{}", what, line, column + 1, shown,
          cell.empty()                              ? ""
          : error == std::errc::result_out_of_range ? "out of the range of numbers"
          : error == std::errc()                    ? "not finite"
                                                    : "no number");
}

}  // namespace

CsvTable parse_csv(std::string_view bytes, std::string_view what, const CsvColumn& column) {
  Cutter cutter(bytes, what);
  RZ_CHECK(file, !cutter.at_end(), "{}: is empty", what);
  cutter.next();
  CsvTable table;
  table.columns = std::ssize(cutter.cells());
  const bool header = is_header(cutter.cells(), column);
  RZ_CHECK(file, !header || table.columns > 1 || cutter.cells()[0].find_first_of(";\t") == std::string_view::npos,
           "{}: its columns are separated by semicolons or tabs (commas are needed)", what);
  if (header) {
    table.header.assign(cutter.cells().begin(), cutter.cells().end());
    RZ_CHECK(file, !cutter.at_end(), "{}: has a header and no line of numbers", what);
    cutter.next();
  }
  table.column = find_column(table, column, what);
  table.first_line = cutter.line();
  const auto lines = static_cast<std::size_t>(std::ranges::count(bytes, '\n')) + 1;
  table.values.reserve(std::min(lines * static_cast<std::size_t>(table.columns), bytes.size() / 2 + 1));
  for (;; cutter.next()) {
    const std::vector<std::string_view>& cells = cutter.cells();
    if (is_blank(cells)) {
      const std::int64_t line = cutter.line();
      while (is_blank(cells) && !cutter.at_end()) cutter.next();
      RZ_CHECK(file, is_blank(cells), "{}: line {} is empty", what, line);
      break;  // the last lines
    }
    RZ_CHECK(file, std::ssize(cells) == table.columns, "{}: line {} has {} columns, the first has {}", what,
             cutter.line(), cells.size(), table.columns);
    RZ_CHECK(file, cutter.line() == table.first_line + table.rows, "{}: line {}: a quoted number has a line feed", what,
             cutter.line());
    for (std::size_t k = 0; k < cells.size(); ++k) table.values.push_back(value_of(cells[k], what, cutter.line(), k));
    ++table.rows;
    if (cutter.at_end()) break;
  }
  RZ_CHECK(file, table.rows > 0, "{}: has no line of numbers", what);
  return table;
}

}  // namespace rz
