#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "report/picture.h"
#include "support/close.h"
#include "tools/report/chart.h"

using namespace rz;
using namespace rz::report;
using namespace rz::test;

namespace {

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
  chart.series[0].y = {2.3, not_a_number, inf};
  CHECK(holds(svg(chart), "deep: 2 of 3 values not finite"));
  chart.series = {{"steady", {}, {}}, {"wild", {}, {}}};
  for (int i = 0; i < 50; ++i) {
    for (Series& series : chart.series) series.x.push_back(i);
    chart.series[0].y.push_back(2 - 0.01 * i);
    chart.series[1].y.push_back(i < 3 ? std::pow(10.0, 10 * i) : not_a_number);
  }
  const std::string picture = svg(chart);
  CHECK(holds(picture, "wild: 47 of 50 values not finite and positive; leaves the chart, rises to 1e+20"));
  CHECK(holds(picture, ">1000<"));
  CHECK_FALSE(holds(picture, "10000"));
}

TEST_CASE("chart: one point, no points, no series and the ends of f64 are drawn") {
  for (const std::vector<double>& y : {std::vector<double>{2.3},
                                       {not_a_number},
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

TEST_CASE("chart: errors make dots with bars, which share the colour of their theory") {
  LineChart chart{"t", "depth", "q", false, {}};
  chart.series.push_back({"measured", {1, 2, 4, 8}, {1, 2, 3, 4}, {0.1, 0.1, not_a_number, 0}, 1});
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
  for (const std::vector<double>& x :
       {std::vector<double>{3, 3}, {1e-320, 1e308}, {0, 0}, {not_a_number, 1}, {1, 1 + 1e-15}}) {
    chart.series[0] = {"a", x, {1, 2}};
    CHECK(well_formed(svg(chart)));
  }
}

}  // namespace
