#include "tools/report/chart.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "support/close.h"
#include "tools/report/contour_labels.h"

using namespace rz;
using namespace rz::report;
using namespace rz::test;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

// Tags that close in the order in which they opened, quoted attributes, no bare & or control character.
bool well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < xml.size(); ++i) {
    const auto c = static_cast<unsigned char>(xml[i]);
    if (c < 0x20 && c != '\n' && c != '\t' && c != '\r') return false;
    if (c == '&' && xml.find(';', i) - i > 6) return false;
    if (c != '<') continue;
    std::size_t end = i + 1;
    for (char quote = 0; end < xml.size() && (quote || xml[end] != '>'); ++end) {
      if (quote ? xml[end] == quote : xml[end] == '"' || xml[end] == '\'') quote = quote ? '\0' : xml[end];
    }
    if (end == xml.size()) return false;
    const std::string tag = xml.substr(i + 1, end - i - 1), name = tag.substr(0, tag.find_first_of(" \t\r\n"));
    if (name[0] == '/') {
      if (open.empty() || open.back() != name.substr(1)) return false;
      open.pop_back();
    } else if (name[0] != '?' && name[0] != '!' && tag.back() != '/') {
      open.push_back(name);
    }
    i = end;
  }
  return open.empty();
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

// Another PATH for a while.
struct Path {
  explicit Path(const std::string& value) : saved(std::getenv("PATH")) { setenv("PATH", value.c_str(), 1); }
  ~Path() { setenv("PATH", saved.c_str(), 1); }
  std::string saved;
};

// A folder with a script named gnuplot.
struct FalseGnuplot {
  explicit FalseGnuplot(const std::string& script)
      : folder(std::filesystem::temp_directory_path() / ("rezero_chart_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "gnuplot") << "#!/bin/sh\n" << script;
    std::filesystem::permissions(folder / "gnuplot", std::filesystem::perms::owner_all);
  }
  ~FalseGnuplot() { std::filesystem::remove_all(folder); }
  std::filesystem::path folder;
};

const LineChart two_runs{"Training loss",
                         "epoch",
                         "loss",
                         {},
                         {{"deep", {1, 2, 3}, {2.3, 2.2, 2.1}}, {"rezero", {1, 2, 3}, {1.7, 0.9, 0.5}}}};

TEST_CASE("chart: lines have their title, labels and legend") {
  const std::string picture = svg(two_runs);
  CHECK(well_formed(picture));
  CHECK(holds(picture, "width=\"800\" height=\"500\""));
  for (const std::string text : {">Training loss<", ">epoch<", ">loss<", ">deep<", ">rezero<"}) {
    CAPTURE(text);
    CHECK(holds(picture, text));
  }
  CHECK(picture == svg(two_runs));
}

TEST_CASE("chart: values that are not finite are left out with a note, and one that runs away leaves the chart") {
  LineChart chart = two_runs;
  chart.series[0].y = {2.3, nan, inf};
  CHECK(holds(svg(chart), "deep: 2 of 3 values not finite"));
  chart.series = {{"steady", {}, {}}, {"wild", {}, {}}};
  for (int i = 0; i < 50; ++i) {
    for (Series& series : chart.series) series.x.push_back(i);
    chart.series[0].y.push_back(2 - 0.01 * i);
    chart.series[1].y.push_back(i < 3 ? std::pow(10.0, 10 * i) : nan);
  }
  const std::string picture = svg(chart);
  CHECK(holds(picture, "wild: 47 of 50 values not finite and positive; leaves the chart, rises to 1e+20"));
  CHECK(holds(picture, ">1000<"));
  CHECK_FALSE(holds(picture, "10000"));
}

TEST_CASE("chart: one point, no points, no series and the ends of f64 are drawn") {
  for (const std::vector<double>& y : {std::vector<double>{2.3},
                                       {nan},
                                       {0},
                                       {1e308},
                                       {1e-320},
                                       {-1e308, 1e308},
                                       {1e-320, 1e308},
                                       {0, 1e-320},
                                       {1, 1 + 1e-15},
                                       {-1, 0, 5},
                                       {}}) {
    LineChart chart{"few", "x", "y", {}, {{"a", {}, y}}};
    for (std::size_t i = 0; i < y.size(); ++i) chart.series[0].x.push_back(static_cast<double>(i));
    CAPTURE(y.size());
    CHECK(well_formed(svg(chart)));
    for (const bool log : {false, true}) {
      chart.log_y = log;
      CHECK(well_formed(svg(chart)));
    }
  }
  CHECK(holds(svg(LineChart{}), "nothing to draw"));
  CHECK(holds(svg(Histogram{}), "no values to draw"));
}

TEST_CASE("chart: long curves are thinned, many have a legend at the side") {
  LineChart chart{"sweep", "step", "loss", {}, {}};
  for (int run = 0; run < 25; ++run) {
    Series series{"run " + std::to_string(run), {}, {}};
    for (int i = 0; i < (run == 0 ? 100000 : 5); ++i) {
      series.x.push_back(i);
      series.y.push_back(i == 777 ? 50 : 1 + std::sin(i));
    }
    chart.series.push_back(series);
  }
  const std::string picture = svg(chart);
  CHECK(well_formed(picture));
  CHECK(picture.size() < 200000);
  CHECK(holds(picture, ">run 17<"));
  CHECK(holds(picture, ">and 7 more<"));
}

TEST_CASE("chart: texts are taken literally") {
  const std::vector<std::string> texts = {
      "it's \"q\"",          "\\",       "a\nb\tc\x01",          "$x @y `echo no` {", "x_1^2",       "<&>",
      "\u03c3 \u65e5\u672c", "\xff\xc3", std::string(5000, 'w'), "'\nquit\n",         "'''a''''b''", "\"; quit",
      "50 % %d %s",          "END"};
  for (const std::string& text : texts) {
    CAPTURE(text);
    const std::string lines = svg(LineChart{text, text, text, {}, {{text, {1, 2}, {1, nan}}}});
    const std::string bars = svg(Histogram{text, text, {{text, text, {1, 2}, {}, 0}}});
    CHECK(well_formed(lines));
    CHECK(well_formed(bars));
    if (text == "x_1^2" || text == "50 % %d %s" || text == "\\" || text == "\u03c3 \u65e5\u672c")
      CHECK(holds(lines, ">" + text + "<"));
    if (text == "<&>") CHECK(holds(bars, "&lt;&amp;"));
    if (text[0] == '$') CHECK(holds(bars, ">$x @y `echo no` {<"));
    if (text[0] == '\xff') CHECK(holds(bars, ">\uFFFD\uFFFD<"));
  }
}

TEST_CASE("chart: a histogram draws fractions, equal values as one bar") {
  Histogram histogram{"Spectra", "log10", {{"rezero", "all 1", std::vector<double>(256, 0.0), {}, 0}}};
  histogram.mark = 0;
  const std::string one = svg(histogram);
  CHECK(well_formed(one));
  for (const std::string text :
       {">Spectra<", ">log10<", ">rezero<", ">all 1<", ">fraction of the values<", ">1<", ">\u22120.4<", ">0.4<"}) {
    CAPTURE(text);
    CHECK(holds(one, text));
  }
  histogram.panels.push_back({"weighted", "", {-3, 1, nan}, {1, 3, 1}, 0});
  const std::string two = svg(histogram);
  CHECK(well_formed(two));
  CHECK(holds(two, ">1 not finite<"));
  for (int i = 0; i < 6; ++i) histogram.panels.push_back(histogram.panels[0]);
  CHECK(holds(svg(histogram), "height=\"1094\""));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Width and height of a PNG, from its header.
std::pair<int, int> size_of_png(const std::string& png) {
  REQUIRE(png.size() > 24);
  REQUIRE(png.starts_with("\x89PNG\r\n"));
  const auto number = [&](std::size_t at) {
    int value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(png[i]);
    return value;
  };
  return {number(16), number(20)};
}

TEST_CASE("chart: every kind is drawn as PNG of twice the size") {
  CHECK(size_of_png(png(two_runs)) == std::pair{1600, 1000});
  CHECK(size_of_png(png(Histogram{"h", "x", {{"p", "", {1, 2}}}})) == std::pair{1600, 1000});
  ContourMap map{"m", "x", "y", 0, 1, 0, 1, 2, 2, {{"f", {1, 2, 3, 4}}}, {}};
  CHECK(size_of_png(png(map)) == std::pair{1400, 1000});
  map.fields.push_back(map.fields[0]);
  CHECK(size_of_png(png(map)) == std::pair{2000, 1000});
}

TEST_CASE("chart: a heat map has a cell per number, labels and a scale of numbers, also of logarithms") {
  HeatMap map{.title = "Gates",
              .x_label = "step",
              .y_label = "layer",
              .scale_label = "|a|",
              .columns = 3,
              .rows = 2,
              .values = {0, 0.25, 0.5, nan, 1, inf},
              .x_first = 1,
              .x_last = 21};
  const std::string picture = svg(map);
  CHECK(well_formed(picture));
  for (const std::string text : {">Gates<", ">step<", ">layer<", ">|a|<"}) CHECK(holds(picture, text));
  CHECK(size_of_png(png(map)) == std::pair{1600, 1000});
  map.square = map.downwards = map.log10 = true;
  map.values = {-3, -2, -1, 0, -inf, nan};
  const std::string logarithms = svg(map);
  CHECK(well_formed(logarithms));
  for (const std::string text : {">0.001<", ">0.01<", ">0.1<", ">1<"}) CHECK(holds(logarithms, text));
  map.values.assign(6, -inf);
  CHECK(well_formed(svg(map)));
  HeatMap small = map;
  for (const std::size_t columns : {1U, 3U}) {
    small.columns = columns;
    small.rows = 1;
    small.values.assign(columns, 0.5);
    CHECK(holds(svg(small), "<image"));
  }
  map.columns = 2;
  CHECK(mentions(message_of(ErrorCode::value, [&] { svg(map); }), {"6 values", "2 x 2"}));
}

TEST_CASE("chart: a heat map has names along its axes, texts in its cells and a scale of squares") {
  HeatMap map{.title = "Confusions",
              .x_label = "taken for",
              .y_label = "true class",
              .scale_label = "%",
              .columns = 3,
              .rows = 2,
              .values = {0, 5, 10, 1, nan, 0.5},
              .x_last = 2,
              .root = true,
              .downwards = true,
              .x_names = {"first column", "`date` $1 \"two\"", "x"},
              .y_names = {"a row", "<&'> a very long name that has no room"},
              .cells = {"", "25", "100", "1", "", "0"}};
  const std::string picture = svg(map);
  CHECK(well_formed(picture));
  for (const std::string text : {">Confusions<", ">taken for<", ">true class<", ">first column<", ">a row<", ">x<",
                                 ">`date` $1 \"two\"<", ">25<", ">100<", ">50<", ">2.5<"})
    CHECK_MESSAGE(holds(picture, text), text);
  CHECK(holds(picture, "a very long name t\u2026<"));
  CHECK_FALSE(holds(picture, "no room"));
  HeatMap many = map;  // names at most 11 pixels apart, texts have no room
  many.columns = many.rows = 100;
  many.values.assign(10000, 5);
  many.cells.assign(10000, "12345");
  many.x_names.assign(100, "chimpanzee");
  many.y_names = many.x_names;
  const std::string large = svg(many);
  CHECK(well_formed(large));
  CHECK(count(large, ">chimpanzee<") == 200);
  CHECK_FALSE(holds(large, ">12345<"));
  CHECK(mentions(message_of(ErrorCode::value,
                            [&] {
                              HeatMap wrong = map;
                              wrong.y_names.pop_back();
                              svg(wrong);
                            }),
                 {"1 names", "2 rows"}));
  map.cells.pop_back();
  CHECK(mentions(message_of(ErrorCode::value, [&] { svg(map); }), {"5 texts", "6 cells"}));
}

TEST_CASE("chart: errors make dots with bars, which share the colour of their theory") {
  LineChart chart{"t", "depth", "q", false, {}};
  chart.series.push_back({"measured", {1, 2, 4, 8}, {1, 2, 3, 4}, {0.1, 0.1, nan, 0}, 1});
  chart.series.push_back({"theory", {1, 2, 4, 8}, {1, 2, 3, 4}, {}, 1});
  const std::string picture = svg(chart);
  CHECK(well_formed(picture));
  CHECK(count(picture, "#gpPt4'") == 5);  // squares, colour 1: four points and the legend's; the line carries none
  CHECK(holds(picture, "rgb(213,  94,   0)"));
  CHECK_FALSE(holds(picture, "rgb(  0, 114, 178)"));
  chart.series[0].error.pop_back();
  CHECK(mentions(message_of(ErrorCode::value, [&] { svg(chart); }), {"\"measured\"", "4 y", "3 errors"}));
}

TEST_CASE("chart: a bar reaches as far as the error, and what was measured never leaves a log axis") {
  LineChart chart{"t", "depth", "q", true, {}};
  Series s{"m", {}, {}, {}};
  for (int i = 0; i < 20; ++i) {
    s.x.push_back(i);
    s.y.push_back(i == 19 ? 1e9 : 1);
    s.error.push_back(i == 19 ? 2e9 : 0.1);
  }
  chart.series = {s};
  CHECK_FALSE(holds(svg(chart), "leaves the chart"));
  chart.series[0].error.clear();
  CHECK(holds(svg(chart), "m: leaves the chart, rises to 1e+09"));
  for (const double error : {inf, 1e308, -1.0, 1e-320}) {
    chart.series[0].error.assign(20, error);
    for (const bool log : {false, true}) {
      chart.log_y = log;
      CHECK(well_formed(svg(chart)));
    }
  }
}

TEST_CASE("chart: a grid has two charts in a row, each with axes of its own, and one legend") {
  ChartGrid grid{"signals", {}};
  for (const std::string name : {"first", "second", "third"}) {
    LineChart chart{name + " of three", name + " layer", "", name == "second", {}};
    chart.series.push_back({"measured", {0, 1, 2}, {1, 30, 500}, {0.1, 0.1, 0.1}});
    chart.series.push_back({"theory", {0, 1, 2}, {1, 30, name == "third" ? nan : 500}});
    grid.charts.push_back(chart);
  }
  const std::string picture = svg(grid);
  CHECK(well_formed(picture));
  CHECK(holds(picture, "width=\"1000\" height=\"666\""));
  CHECK(holds(picture, ">signals<"));
  for (const std::string name : {"first", "second", "third"}) {
    CHECK(holds(picture, ">" + name + " of three<"));
    CHECK(holds(picture, ">" + name + " layer<"));
  }
  CHECK(count(picture, ">measured<") == 1);
  CHECK(count(picture, ">theory<") == 1);
  CHECK(holds(picture, ">theory: 1 of 3 values not finite<"));
  CHECK(count(picture, ">200<") == 2);  // of the linear axes
  CHECK(count(picture, ">10<") == 1);   // of the log one
  CHECK(size_of_png(png(grid)) == std::pair{2000, 1332});
  grid.charts.pop_back();
  CHECK(holds(svg(grid), "height=\"366\""));
}

TEST_CASE("chart: stems stand on 0, and lines carry no dots beside them or where they are not wanted") {
  LineChart chart{"law", "x", "density", false, {{"curve", {1, 2, 3}, {5, 6, 5}}}};
  CHECK(count(svg(chart), "#gpPt6'") == 3 + 1);  // and the legend's
  chart.marked = false;
  CHECK(count(svg(chart), "#gpPt6'") == 0);
  chart.marked = true;
  chart.series.push_back({"atom", {2}, {4}, {}, 1, true});
  const std::string picture = svg(chart);
  CHECK(well_formed(picture));
  CHECK(count(picture, "#gpPt6'") == 0);
  CHECK(count(picture, "#gpPt4'") == 1 + 1);
  CHECK(holds(picture, ">0<"));
}

TEST_CASE("chart: a fan of unlabelled lines has no legend entry and one note") {
  LineChart chart{"fan", "layer", "log10", false, {}};
  for (int k = 0; k < 300; ++k) {
    Series s;
    for (int i = 0; i <= 512; ++i) {
      s.x.push_back(i);
      s.y.push_back(k < 3 && i == 100 ? -inf : -0.001 * k * i);
    }
    chart.series.push_back(s);
  }
  chart.series.push_back({"largest", {0, 512}, {0, 0}});
  const std::string picture = svg(chart);
  CHECK(well_formed(picture));
  CHECK(picture.size() < 1500000);
  CHECK(holds(picture, ">3 of 300 thin lines have values not finite<"));
  CHECK(holds(picture, ">largest<"));
  CHECK_FALSE(holds(picture, "more<"));
  CHECK(holds(picture, "rgb(  0, 114, 178)"));  // the first labelled series has the first colour
}

TEST_CASE("chart: a log x axis has its ticks, and leaves out what is not positive") {
  LineChart chart{"t", "depth", "q", false, {{"a", {0, 1, 10, 100}, {1, 2, 3, 4}}}, true};
  const std::string picture = svg(chart);
  CHECK(holds(picture, "a: 1 of 4 values not finite and positive"));
  for (const std::string tick : {">1<", ">2<", ">5<", ">10<", ">20<", ">50<", ">100<"}) CHECK(holds(picture, tick));
  for (const std::vector<double>& x : {std::vector<double>{3, 3}, {1e-320, 1e308}, {0, 0}, {nan, 1}, {1, 1 + 1e-15}}) {
    chart.series[0] = {"a", x, {1, 2}};
    CHECK(well_formed(svg(chart)));
  }
}

Panel theory_panel() {
  Panel panel{"depth 8", "", {-3, -2, -2, -1}, {}, 0, 12, -2.5};
  panel.theory = {"law", {-3.5, -3, -2, -1, -0.5}, {0, 0.05, 0.2, 0.05, 0}};
  panel.atoms = {"atoms", {-inf, -2}, {0.75, 0.1}};
  return panel;
}

TEST_CASE("chart: a histogram shows theory, floor and exact zeros") {
  const Histogram histogram{"h", "log10", {theory_panel(), theory_panel()}};
  const std::string picture = svg(histogram);
  CHECK(well_formed(picture));
  for (const std::string text : {">law<", ">atoms<", ">below the floor<", ">exact zeros<", ">0.75<", ">(0.75)<"}) {
    CAPTURE(text);
    CHECK(holds(picture, text));
  }
  CHECK(count(picture, ">exact zeros<") == 1);  // under the last panel
  CHECK(count(picture, "#gpPt6'") == 2 + 1);  // the dots of the atoms at -2 and the legend's; the cut bars hide theirs
  const std::string plain = svg(Histogram{"h", "log10", {{"depth 8", "", {-3, -2, -2, -1}}}});
  for (const std::string text : {"theory", "below the floor", "exact zeros"}) CHECK_FALSE(holds(plain, text));
}

TEST_CASE("chart: histograms of zeros alone, theory alone and huge ranges are drawn") {
  Panel zeros{"dead", "", {}, {}, 0, 64};
  CHECK(holds(svg(Histogram{"h", "x", {zeros}}), ">exact zeros<"));
  Panel law{"law", "", {}};
  law.theory = {"", {0, 1, 2, inf, nan}, {0, 1, inf, 1, 1}};
  law.atoms = {"", {3, nan, inf}, {0.5, 0.1, 0.1}};
  const std::string picture = svg(Histogram{"h", "x", {law}});
  CHECK(well_formed(picture));
  CHECK(holds(picture, ">theory<"));
  CHECK_FALSE(holds(picture, "no values to draw"));
  Panel wide = theory_panel();
  for (int i = 0; i < 512; ++i) wide.values.push_back(-800.0 * i / 511);
  for (const double floor : {nan, inf, -inf, -400.0}) {
    wide.floor = floor;
    CHECK(well_formed(svg(Histogram{"h", "x", {wide}})));
  }
  wide.theory.y.pop_back();
  CHECK(
      mentions(message_of(ErrorCode::value, [&] { svg(Histogram{"h", "x", {wide}}); }), {"\"depth 8\"", "5 x", "4 y"}));
}

ContourMap phase_map() {
  ContourMap map{"Phases", "weights", "biases", 0, 2, 0, 1, 21, 11, {{"chi", {}, "chi (1)", {0.5, 1, 1.5}}}, {}};
  for (int i = 0; i < 21 * 11; ++i) map.fields[0].values.push_back(i % 21 > 18 ? nan : 0.1 * (i % 21));
  map.lines = {{"critical line", {1, 1}, {0, 1}}, {"second", {1.5, 1.5, nan}, {0, 1, 1}}};
  map.marks = {{"you are here", 0.4, 0.5}, {"there", 1.8, 0.5}};
  return map;
}

TEST_CASE("chart: a map has marks, labelled lines, levels and a labelled scale") {
  const std::string picture = svg(phase_map());
  CHECK(well_formed(picture));
  for (const std::string text : {">Phases<", ">weights<", ">biases<", ">chi<", ">chi (1)<", ">critical line<",
                                 ">second<", ">you are here<", ">there<"}) {
    CAPTURE(text);
    CHECK(holds(picture, text));
  }
  ContourMap two = phase_map();
  two.fields.push_back({"xi", two.fields[0].values, "layers", {}});
  const std::string both = svg(two);
  CHECK(count(both, ">you are here<") == 2 * count(picture, ">you are here<"));
  CHECK(count(both, ">critical line<") == 1);
  CHECK(count(both, ">layers<") == 1);
}

TEST_CASE("chart: levels are labelled apart from each other, from the edges, lines and marks") {
  ContourMap map = phase_map();
  const Size plot{400, 300};
  const std::vector<LevelLabel> labels = level_labels(map, map.fields[0], plot);
  REQUIRE(labels.size() == 1);  // lines lie on the two others
  CHECK(labels[0].level == 0.5);
  CHECK(labels[0].x == doctest::Approx(0.5));
  CHECK(std::abs(labels[0].y - 0.5) > 0.1);  // a mark is there
  CHECK(std::abs(labels[0].y - 0.5) < 0.4);
  map.fields[0].values.assign(21 * 11, nan);
  CHECK(level_labels(map, map.fields[0], plot).empty());
}

TEST_CASE("chart: a map of logarithms shows the numbers, a middle is white between blue and red") {
  ContourMap map = phase_map();
  map.lines = {{"the only point", {1}, {0}}};
  map.marks.clear();
  const std::string plain = svg(map);
  map.fields[0].log10 = true;
  map.fields[0].levels = {0.5, 1, 1.5};
  map.fields[0].middle = 1;
  const std::string picture = svg(map);
  CHECK(well_formed(picture));
  for (const std::string number : {">3.1623<", ">10<", ">31.623<"}) {
    CHECK(count(picture, number) == 3);  // at the scale, and on the map with the box around it
    CHECK_FALSE(holds(plain, number));
  }
  CHECK(count(picture, "#gpPt12'") == 3);  // with its white rim, and in the legend
  CHECK(holds(picture, ">the only point<"));
}

TEST_CASE("chart: maps of one value, of none and of huge ones are drawn, what has no place is refused") {
  for (const double value : {0.0, 2.0, nan, inf, 1e308, -1e-320}) {
    ContourMap map = phase_map();
    map.fields[0].values.assign(21 * 11, value);
    CAPTURE(value);
    CHECK(well_formed(svg(map)));
    map.fields[0].values[0] = -1e308;
    map.fields[0].levels = {};
    CHECK(well_formed(svg(map)));
  }
  const auto refused = [](auto change) {
    ContourMap map = phase_map();
    change(map);
    return message_of(ErrorCode::value, [&] { svg(map); });
  };
  CHECK(mentions(refused([](ContourMap& m) { m.marks[0].x = nan; }), {"you are here"}));
  CHECK(mentions(refused([](ContourMap& m) { m.fields[0].levels[0] = inf; }), {"chi", "inf"}));
  CHECK(mentions(refused([](ContourMap& m) { m.lines[0].x.pop_back(); }), {"critical line", "1 x", "2 y"}));
  CHECK(mentions(refused([](ContourMap& m) { m.fields[0].values.pop_back(); }), {"chi", "230 values"}));
}

TEST_CASE("chart: lengths that differ are refused") {
  CHECK(mentions(message_of(ErrorCode::value, [] { svg(LineChart{"", "", "", {}, {{"a", {1, 2}, {1}}}}); }),
                 {"\"a\"", "2 x", "1 y"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { svg(Histogram{"", "", {{"p", "", {1, 2}, {1}, 0}}}); }),
                 {"\"p\"", "2 values", "1 weights"}));
}

TEST_CASE("chart: a gnuplot that is missing or fails is an error with its reason") {
  auto draw = [] { svg(two_runs); };
  {
    const Path path("/nonexistent");
    CHECK(message_of(ErrorCode::library, draw) ==
          "chart: gnuplot was not found: install it (apt-get install gnuplot-nox)");
  }
  const auto failure = [&](const std::string& script) {
    const FalseGnuplot gnuplot(script);
    const Path path(gnuplot.folder.string() + ":/usr/bin:/bin");
    return message_of(ErrorCode::library, draw);
  };
  CHECK(failure("exec <&-\necho >&2\necho 'gnuplot> plot x' >&2\necho '   line 3: bad thing' >&2\nexit 1\n") ==
        "chart: gnuplot failed: line 3: bad thing");
  CHECK(failure("exit 127\n") == "chart: gnuplot failed: it gave no reason");
  CHECK(failure("exit 0\n") == "chart: gnuplot drew nothing: it gave no reason");
  CHECK(failure("kill -9 $$\n") == "chart: gnuplot was ended by signal 9");
}

}  // namespace
