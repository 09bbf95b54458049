#include "tools/report/chart.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "report/picture.h"
#include "support/close.h"

using namespace rz;
using namespace rz::report;
using namespace rz::test;

namespace {

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

TEST_CASE("chart: texts are taken literally") {
  const std::vector<std::string> texts = {
      "it's \"q\"",          "\\",       "a\nb\tc\x01",          "$x @y `echo no` {", "x_1^2",       "<&>",
      "\u03c3 \u65e5\u672c", "\xff\xc3", std::string(5000, 'w'), "'\nquit\n",         "'''a''''b''", "\"; quit",
      "50 % %d %s",          "END"};
  for (const std::string& text : texts) {
    CAPTURE(text);
    const std::string lines = svg(LineChart{text, text, text, {}, {{text, {1, 2}, {1, not_a_number}}}});
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

TEST_CASE("chart: every kind is drawn as PNG of twice the size") {
  CHECK(size_of_png(png(two_runs)) == std::pair{1600, 1000});
  CHECK(size_of_png(png(Histogram{"h", "x", {{"p", "", {1, 2}}}})) == std::pair{1600, 1000});
  ContourMap map{"m", "x", "y", 0, 1, 0, 1, 2, 2, {{"f", {1, 2, 3, 4}}}, {}};
  CHECK(size_of_png(png(map)) == std::pair{1400, 1000});
  map.fields.push_back(map.fields[0]);
  CHECK(size_of_png(png(map)) == std::pair{2000, 1000});
}

TEST_CASE("chart: a grid has two charts in a row, each with axes of its own, and one legend") {
  ChartGrid grid{"signals", {}};
  for (const std::string name : {"first", "second", "third"}) {
    LineChart chart{name + " of three", name + " layer", "", name == "second", {}};
    chart.series.push_back({"measured", {0, 1, 2}, {1, 30, 500}, {0.1, 0.1, 0.1}});
    chart.series.push_back({"theory", {0, 1, 2}, {1, 30, name == "third" ? not_a_number : 500}});
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
