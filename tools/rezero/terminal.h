// Standard output and standard error: what they are, and writing to them. Each stream is judged by itself.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace rz::tool {

// A result: standard output. Written at once: commands print when everything has been checked.
// Throws: file (it cannot be written).
void print(std::string_view text);
// Whether one of the files is standard output itself: what is written there must not be mixed with a report.
bool takes_standard_output(std::initializer_list<std::string_view> files);
// A message beside the result: standard error, whole lines. Failure to write is ignored.
void say(std::string_view text);

enum class Stream : int { output = 1, error = 2 };
bool is_terminal(Stream stream);
bool redraws(Stream stream);  // a terminal that understands control codes (TERM is neither unset nor dumb)
bool colours(Stream stream);  // redraws, and NO_COLOR is unset or empty
int width(Stream stream);     // columns, at least 1: COLUMNS if it is a positive number, else the terminal's, else 80

// Rows of cells with columns aligned by spaces, numbers (`right` columns) to the right; the first row is a header,
// underlined by dashes. `gap`: spaces between columns.
std::string table_text(const std::vector<std::vector<std::string>>& rows,
                       std::string_view alignment,  // "llr": a letter per column
                       int gap = 2);

// Terminal text of at most `columns` characters; what is longer ends with "...". Counts code points.
std::string fitted(std::string_view text, int columns);

}  // namespace rz::tool
