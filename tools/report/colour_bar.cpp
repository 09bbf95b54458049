#include "tools/report/colour_bar.h"

#include <fmt/format.h>

namespace rz::report {

std::string colour_bar(const Box& map, std::string_view label, Size size) {
  return fmt::format(
      "set colorbox user origin {} size {}, {}\n"
      "set label {} at {} center rotate by 90 noenhanced textcolor rgb '#303030'\n",
      at_pixel(map.right + 10, map.bottom, size), 18 / size.width, (map.bottom - map.top) / size.height,
      quoted(label, 40), at_pixel(map.right + 86, (map.top + map.bottom) / 2, size));
}

}  // namespace rz::report
