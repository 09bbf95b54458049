// Legends. gnuplot's own would guess the widths of texts and break lines by them.
#pragma once

#include <span>
#include <string>

#include "tools/report/gnuplot.h"

namespace rz::report {

// A label and the symbol before it: the parts whose style, in gnuplot's words, is not empty.
struct Key {
  std::string label;
  std::string line = {}, stem = {}, point = {}, box = {};
};

inline constexpr std::size_t key_length = 36;  // characters of a label
inline constexpr double key_step = 19;         // pixels from one line of the legend to the next
double key_width(const std::string& label);    // pixels, with the symbol and a gap behind

// In a row where that is no wider than `room` pixels, else one below the other.
bool fits_in_row(std::span<const Key> keys, double room);
double legend_height(std::span<const Key> keys, double room);  // pixels

// Draws the keys with the first symbol's left end and middle at (x, y).
std::string legend(std::span<const Key> keys, double x, double y, double room, Size size);

}  // namespace rz::report
