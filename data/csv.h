// Comma-separated values (RFC 4180): a line of column names, then lines of numbers, written in their shortest form that
// reads back to the same value. In files that are read the names may be missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rz {

// Text as a cell, in quotes where it needs them (RFC 4180).
std::string csv_cell(std::string_view text);

class Csv {
 public:
  explicit Csv(std::initializer_list<std::string_view> columns);
  explicit Csv(std::span<const std::string> columns);
  Csv& row(std::span<const double> values);  // Throws: value (not one per column)
  Csv& row(std::initializer_list<double> values) { return row(std::span(values.begin(), values.size())); }
  const std::string& text() const { return text_; }  // for write_atomically

 private:
  void cell(std::string_view text);
  std::size_t columns_;
  std::string text_;
};

struct CsvColumn {
  std::string name;         // empty: by index
  std::int64_t index = -1;  // from 0; negative: the last
};

struct CsvTable {
  std::vector<std::string> header;  // empty: the file has none
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;   // [rows, columns], finite
  std::int64_t first_line = 1;  // of row 0; each row is a line
  std::int64_t column = 0;      // the index of the column asked for
};

// The first line is the header if `column` is given by name, if its cell of that column is no number, or if none of its
// cells is one. Quotes, CRLF, spaces around numbers, a byte order mark and blank last lines are read. `what` opens
// messages. Throws: file (names line and column, both from 1)
CsvTable parse_csv(std::string_view bytes, std::string_view what = "memory", const CsvColumn& column = {});

}  // namespace rz
