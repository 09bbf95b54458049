#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "report/picture.h"
#include "support/close.h"
#include "tools/report/chart.h"

using namespace rz;
using namespace rz::report;
using namespace rz::test;

namespace {

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
  histogram.panels.push_back({"weighted", "", {-3, 1, not_a_number}, {1, 3, 1}, 0});
  const std::string two = svg(histogram);
  CHECK(well_formed(two));
  CHECK(holds(two, ">1 not finite<"));
  for (int i = 0; i < 6; ++i) histogram.panels.push_back(histogram.panels[0]);
  CHECK(holds(svg(histogram), "height=\"1094\""));
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
  law.theory = {"", {0, 1, 2, inf, not_a_number}, {0, 1, inf, 1, 1}};
  law.atoms = {"", {3, not_a_number, inf}, {0.5, 0.1, 0.1}};
  const std::string picture = svg(Histogram{"h", "x", {law}});
  CHECK(well_formed(picture));
  CHECK(holds(picture, ">theory<"));
  CHECK_FALSE(holds(picture, "no values to draw"));
  Panel wide = theory_panel();
  for (int i = 0; i < 512; ++i) wide.values.push_back(-800.0 * i / 511);
  for (const double floor : {not_a_number, inf, -inf, -400.0}) {
    wide.floor = floor;
    CHECK(well_formed(svg(Histogram{"h", "x", {wide}})));
  }
  wide.theory.y.pop_back();
  CHECK(
      mentions(message_of(ErrorCode::value, [&] { svg(Histogram{"h", "x", {wide}}); }), {"\"depth 8\"", "5 x", "4 y"}));
}

}  // namespace
