// Comma-separated values: a line of column names, then lines of numbers in their shortest form that reads back to the
// same value.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

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

}  // namespace rz
