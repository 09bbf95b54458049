// gnuplot as a child process, and what all scripts for it share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rz::report {

enum class Format { svg, png };

// What gnuplot writes for a script that begins with picture() in this format.
// Throws: library (not installed; its first error).
std::string gnuplot(std::string_view script, Format format = Format::svg);

struct Size {
  double width, height;  // pixels
};

// The opening of a script for a picture of this size (PNG has twice as many pixels), with `title` at the top left.
std::string picture(Size size, std::string_view title, Format format);

// The position this far from the left and the top, in gnuplot's words.
std::string at_pixel(double x, double y, Size size);
// The four margins of the plot that fills this rectangle.
struct Box {
  double left, right, top, bottom;
};
std::string margins(const Box& box, Size size);

// At most `limit` characters of valid UTF-8 on one line; a longer text ends with an ellipsis.
std::string shortened(std::string_view text, std::size_t limit);
// The same as a string of gnuplot's language. In single quotes gnuplot stumbles over two quotes in a row, in double
// quotes it runs `commands`; so all but letters and spaces stand as \ooo. What shows the string must say `noenhanced`.
std::string quoted(std::string_view text, std::size_t limit);
std::size_t characters(std::string_view text);

// Colours that stay apart for the colour-blind (Okabe and Ito, 2008) and on white; shapes of dots for those who see
// grey.
const char* colour(std::size_t index);
int shape(std::size_t index);  // gnuplot's point type
inline constexpr std::size_t colours = 7;

// The smallest of 1, 2, 5 times a power of ten that is at least x.   x > 0
double round_step(double x);

}  // namespace rz::report
