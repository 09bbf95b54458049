// Charts as SVG, or as PNG of twice the size, drawn by gnuplot. Every text is taken literally, on one line, and
// shortened when it is too long for its place. Throws: value (lengths differ); library (gnuplot is not installed, or
// fails).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rz::report {

// A point that is not finite interrupts the curve, and a note says how many there are.
struct Series {
  std::string label;                       // empty: a thin line without a legend entry, as in a fan of hundreds
  std::vector<double> x, y;                // of equal length
  std::vector<double> error = {};          // standard error of each y: dots with bars in place of a line
  std::optional<std::size_t> colour = {};  // series of the same number share it; not set: its place among the labelled
  bool stems = false;                      // dots on lines from 0 in place of a line
};

// Curves, 800 x 500. One that rises far above where most values lie leaves the chart at the top, with a note.
struct LineChart {
  std::string title, x_label, y_label;
  std::optional<bool> log_y = {};  // not set: when all values are positive and span more than two decades
  std::vector<Series> series;
  bool log_x = false;
  bool marked = true;  // lines carry dots, which tell them apart in grey; never beside series that are dots
};

// Line charts in one picture of 1000 pixels: two in a row, the first of an odd number alone in its row; at least one.
// The title of each stands above it. A label of a series means the same in all of them: they have one legend.
struct ChartGrid {
  std::string title;
  std::vector<LineChart> charts;
};

struct Panel {
  std::string label, note;           // note: at the right of the label
  std::vector<double> values;        // those that are not finite are not drawn, the note says how many
  std::vector<double> weights = {};  // one per value, or empty: all 1
  double total = 0;                  // what fractions are of; 0: the sum of the weights and zeros
  double zeros = 0;  // weight of values without a place on the axis (log10 0): a bar set apart, its height beside it
  std::optional<double> floor = {};  // what lies left of it is noise: shaded
  Series theory = {};  // density per unit of x, which ascends; drawn as what it expects of a bin, from the floor on
  Series atoms = {};   // y: the masses; that at x = -infinity is one of zeros, in brackets
};

// Panels above each other with the same bins; a bar is the fraction of its panel's values. A bar of zeros many times as
// high as everything else is cut, with a white stroke. 800 x 500, higher with more than three panels. The legend takes
// its words from the first panel that has them.
struct Histogram {
  std::string title, x_label;
  std::vector<Panel> panels;
  int bins = 60;                    // one is centred at 0
  double resolution = 1e-9;         // values no further apart count as one, which gets a single bar
  std::optional<double> mark = {};  // a vertical line
};

// Maps of functions of two variables as colours with contour lines: 700 x 500, or two side by side, 1000 x 500, with
// the same paths, lines and marks over each.
struct ContourMap {
  struct Field {
    std::string label;
    std::vector<double> values;         // [rows, columns], y by x; those that are not finite are hatched
    std::string scale_label = {};       // what the colours measure, with its unit
    std::vector<double> levels = {};    // of the contour lines, with labels; empty: about 14 round values, without
    std::optional<double> middle = {};  // colours go from blue below it through white to red; not set: white to blue
    bool log10 = false;                 // values are logarithms: numbers in the picture are 10^value
  };
  struct Mark {
    std::string label;
    double x = 0, y = 0;
  };
  std::string title, x_label, y_label;
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;  // of the first and last column and row
  std::size_t columns = 0, rows = 0;                    // at least 2 of each
  std::vector<Field> fields;                            // 1 or 2
  std::vector<Series> paths;                            // a dot at the end of each
  std::vector<Series> lines = {};                       // with a label in the legend; one of a single point is a dot
  std::vector<Mark> marks = {};                         // a point, its label beside it
};

// A table of numbers as colours, one cell each, from white (0, or the smallest logarithm) to blue; 800 x 500, or square
// cells. Values that are not finite are hatched. With names along an axis the map is as long as they need.
struct HeatMap {
  std::string title, x_label, y_label, scale_label;  // of the colours, with the unit
  std::size_t columns = 0, rows = 0;
  std::vector<double> values;                               // [rows, columns]
  double x_first = 0, x_last = 1, y_first = 0, y_last = 1;  // whole numbers: centres of first and last column and row
  bool log10 = false;                                       // values are logarithms
  bool root = false;                                        // values are square roots: small numbers are told apart
  bool downwards = false;                                   // the first row is at the top, as in a matrix
  bool square = false;                                      // the map is as high as wide
  std::vector<std::string> x_names = {}, y_names = {};      // of all columns and rows, in place of whole numbers
  std::vector<std::string> cells = {};                      // [rows, columns]: a text in each cell that has room
};

std::string svg(const LineChart& chart);
std::string png(const LineChart& chart);
std::string svg(const ChartGrid& grid);
std::string png(const ChartGrid& grid);
std::string svg(const Histogram& histogram);
std::string png(const Histogram& histogram);
std::string svg(const ContourMap& map);
std::string png(const ContourMap& map);
std::string svg(const HeatMap& map);
std::string png(const HeatMap& map);

}  // namespace rz::report
