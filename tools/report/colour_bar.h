// What maps of colours share, in gnuplot's words.
#pragma once

#include <string>
#include <string_view>

#include "tools/report/gnuplot.h"

namespace rz::report {

// From small to large, for "set palette defined".
inline constexpr const char* rising_colours = "0 '#FFFFFF', 0.25 '#D9E8F5', 0.5 '#9CC3E0', 0.75 '#4F8FC0', 1 '#1F4E79'";
// Behind the cells: shows where there is no value.
inline constexpr const char* hatched_ground =
    "set object 1 rectangle from graph 0, graph 0 to graph 1, graph 1 behind fc rgb '#808080' fs pattern 4 noborder\n";
// The bar at the right of a map, with its label along it; 110 pixels wide.
std::string colour_bar(const Box& map, std::string_view label, Size size);

}  // namespace rz::report
