#include "tools/report/legend.h"

#include <fmt/format.h>

#include <algorithm>

namespace rz::report {

namespace {

constexpr double symbol = 22, text_at = 28, half_stem = 7;  // pixels

std::string symbol_of(const Key& key, double x, double y, Size size) {
  std::string script;
  const double middle = x + symbol / 2;
  if (!key.box.empty())
    script += fmt::format("set object rectangle from {} to {} {}\n", at_pixel(x, y + half_stem, size),
                          at_pixel(x + symbol, y - half_stem, size), key.box);
  if (!key.line.empty())
    script += fmt::format("set arrow from {} to {} nohead {}\n", at_pixel(x, y, size), at_pixel(x + symbol, y, size),
                          key.line);
  if (!key.stem.empty())
    script += fmt::format("set arrow from {} to {} nohead {}\n", at_pixel(middle, y - half_stem, size),
                          at_pixel(middle, y + half_stem, size), key.stem);
  if (!key.point.empty()) script += fmt::format("set label '' at {} point {}\n", at_pixel(middle, y, size), key.point);
  return script;
}

}  // namespace

double key_width(const std::string& label) {
  return text_at + 22 + 7.5 * static_cast<double>(std::min(characters(label), key_length));
}

bool fits_in_row(std::span<const Key> keys, double room) {
  double width = 0;
  for (const Key& key : keys) width += key_width(key.label);
  return width <= room;
}

double legend_height(std::span<const Key> keys, double room) {
  if (keys.empty()) return 0;
  return 22 + (fits_in_row(keys, room) ? 0 : key_step * static_cast<double>(keys.size() - 1));
}

std::string legend(std::span<const Key> keys, double x, double y, double room, Size size) {
  const bool in_row = fits_in_row(keys, room);
  std::string script;
  for (const Key& key : keys) {
    script += symbol_of(key, x, y, size);
    script += fmt::format("set label {} at {} left noenhanced textcolor rgb '#303030'\n", quoted(key.label, key_length),
                          at_pixel(x + text_at, y, size));
    if (in_row)
      x += key_width(key.label);
    else
      y += key_step;
  }
  return script;
}

}  // namespace rz::report
