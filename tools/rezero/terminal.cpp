#include "tools/rezero/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "core/error.h"

namespace rz::tool {
namespace {

// 0, or the reason why not everything was written.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

int characters(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(text, [](char c) { return starts_character(c); }));
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

void print(std::string_view text) {
  const int reason = write_all(STDOUT_FILENO, text);
  RZ_CHECK(file, reason == 0, "standard output: cannot be written: {}", std::generic_category().message(reason));
}

bool takes_standard_output(std::initializer_list<std::string_view> files) {
  for (const std::string_view file : files)
    for (const std::string_view name : {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
      if (file == name) return true;
  return false;
}

void say(std::string_view text) { write_all(STDERR_FILENO, text); }

bool is_terminal(Stream stream) { return isatty(static_cast<int>(stream)) == 1; }

bool redraws(Stream stream) {
  const std::string_view kind = environment("TERM");
  return is_terminal(stream) && !kind.empty() && kind != "dumb";
}

bool colours(Stream stream) { return redraws(stream) && environment("NO_COLOR").empty(); }

int width(Stream stream) {
  const std::string_view given = environment("COLUMNS");
  int columns = 0;
  std::from_chars(given.data(), given.data() + given.size(), columns);
  winsize size{};
  if (columns <= 0 && ioctl(static_cast<int>(stream), TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  return columns > 0 ? columns : 80;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows, std::string_view alignment, int gap) {
  std::vector<int> widths(alignment.size(), 0);
  for (const auto& row : rows)
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], characters(row[column]));
  std::string out;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string space(static_cast<std::size_t>(widths[column] - characters(row[column])), ' ');
      if (column > 0) line.append(static_cast<std::size_t>(gap), ' ');
      line += alignment[column] == 'r' ? space + row[column] : row[column] + space;
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + '\n';
  };
  for (std::size_t k = 0; k < rows.size(); ++k) {
    add(rows[k]);
    if (k > 0) continue;
    std::vector<std::string> dashes;
    for (const int columns : widths) dashes.emplace_back(static_cast<std::size_t>(columns), '-');
    add(dashes);
  }
  return out;
}

std::string fitted(std::string_view text, int columns) {
  if (characters(text) <= columns) return std::string(text);
  const int dots = std::min(3, columns - 1);
  int kept = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end)
    if (starts_character(text[end]) && kept++ == columns - std::max(dots, 0)) break;
  return std::string(text.substr(0, end)) + std::string(static_cast<std::size_t>(std::max(dots, 0)), '.');
}

}  // namespace rz::tool
