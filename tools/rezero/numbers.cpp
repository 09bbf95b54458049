#include "tools/rezero/numbers.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/text.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

// Success only for a text that is a number from end to end.
template <class T>
std::errc read_number(std::string_view text, T& value) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return rest == text.data() + text.size() ? error : std::errc::invalid_argument;
}

template <class T>
void read_list(const std::string& flag, const std::string& names, std::string_view text, std::vector<T>& values) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = trimmed(text.substr(begin, end - begin));
    if (item.empty())
      throw UsageError(fmt::format("{}: '{}' has an empty item (write {})", flag, printable(text), names));
    if (read_number(item, values.emplace_back()) != std::errc())
      throw UsageError(fmt::format("{}: {} (write {})", flag, why_no_number(item), names));
    begin = end + 1;
  }
}

template <class T>
void add(CLI::App& command, const std::string& flag, std::vector<T>& values, const std::string& text,
         const std::string& names) {
  const auto read = [&values, flag, names](const std::vector<std::string>& given) {
    for (const std::string& list : given) read_list(flag, names, list, values);
  };
  command.add_option_function<std::vector<std::string>>(flag, read, text)->type_name(names)->allow_extra_args(false);
}

}  // namespace

void add_list(CLI::App& command, const std::string& flag, std::vector<double>& values, const std::string& text,
              const std::string& names) {
  add(command, flag, values, text, names);
}

void add_list(CLI::App& command, const std::string& flag, std::vector<std::int64_t>& values, const std::string& text,
              const std::string& names) {
  add(command, flag, values, text, names);
}

std::string why_no_number(std::string_view text) {
  std::int64_t whole = 0;
  double real = 0;
  const std::errc as_whole = read_number(text, whole), as_real = read_number(text, real);
  if (as_whole == std::errc::result_out_of_range)
    return fmt::format("{} is beyond the range of whole numbers", printable(text));
  if (as_real == std::errc::result_out_of_range)
    return fmt::format("{} is beyond the range of numbers", printable(text));
  return fmt::format("'{}' is no {}", printable(text), as_real == std::errc() ? "whole number" : "number");
}

std::string check_whole_number(const std::string& text) {
  std::int64_t value = 0;
  return read_number(trimmed(text), value) == std::errc() ? "" : why_no_number(text);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string count_text(std::int64_t value) { return grouped(static_cast<std::uint64_t>(value)); }

std::string number_text(double value, int digits) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}g}", value, digits);
}

std::string number_text(double value, double error, int digits) {
  constexpr double rounding = 1e-12;
  return number_text(value, digits) + (error > rounding * std::fabs(value) ? fmt::format(" +- {:.1g}", error) : "");
}

}  // namespace rz::tool
