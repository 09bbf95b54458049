#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "report/picture.h"
#include "support/close.h"
#include "tools/report/chart.h"
#include "tools/report/contour_labels.h"

using namespace rz;
using namespace rz::report;
using namespace rz::test;

namespace {

TEST_CASE("chart: a heat map has a cell per number, labels and a scale of numbers, also of logarithms") {
  HeatMap map{.title = "Gates",
              .x_label = "step",
              .y_label = "layer",
              .scale_label = "|a|",
              .columns = 3,
              .rows = 2,
              .values = {0, 0.25, 0.5, not_a_number, 1, inf},
              .x_first = 1,
              .x_last = 21};
  const std::string picture = svg(map);
  CHECK(well_formed(picture));
  for (const std::string text : {">Gates<", ">step<", ">layer<", ">|a|<"}) CHECK(holds(picture, text));
  CHECK(size_of_png(png(map)) == std::pair{1600, 1000});
  map.square = map.downwards = map.log10 = true;
  map.values = {-3, -2, -1, 0, -inf, not_a_number};
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
              .values = {0, 5, 10, 1, not_a_number, 0.5},
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

ContourMap phase_map() {
  ContourMap map{"Phases", "weights", "biases", 0, 2, 0, 1, 21, 11, {{"chi", {}, "chi (1)", {0.5, 1, 1.5}}}, {}};
  for (int i = 0; i < 21 * 11; ++i) map.fields[0].values.push_back(i % 21 > 18 ? not_a_number : 0.1 * (i % 21));
  map.lines = {{"critical line", {1, 1}, {0, 1}}, {"second", {1.5, 1.5, not_a_number}, {0, 1, 1}}};
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
  map.fields[0].values.assign(21 * 11, not_a_number);
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
  for (const double value : {0.0, 2.0, not_a_number, inf, 1e308, -1e-320}) {
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
  CHECK(mentions(refused([](ContourMap& m) { m.marks[0].x = not_a_number; }), {"you are here"}));
  CHECK(mentions(refused([](ContourMap& m) { m.fields[0].levels[0] = inf; }), {"chi", "inf"}));
  CHECK(mentions(refused([](ContourMap& m) { m.lines[0].x.pop_back(); }), {"critical line", "1 x", "2 y"}));
  CHECK(mentions(refused([](ContourMap& m) { m.fields[0].values.pop_back(); }), {"chi", "230 values"}));
}

}  // namespace
