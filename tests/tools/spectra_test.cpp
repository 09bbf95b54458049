#include "tools/report/spectra.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/close.h"
#include "tools/isometry/verdict.h"

using namespace rz;
using namespace rz::report;
using rz::isometry::power_of_ten;
using namespace rz::test;
using nlohmann::json;

namespace {

// Two samples of 3 x 4: {4, 1/3, 0 exactly} and {2, 1e-20 (below the floor), 0 exactly}.
isometry::Result example() {
  const double third = 1.0 / 3;
  const Tensor a = Tensor::of({3, 4}, std::vector<double>{0, 0, 0, 0, 4, 0, 0, 0, 0, 0, third, 0});
  const Tensor b = Tensor::of({3, 4}, std::vector<double>{2, 0, 0, 0, 0, 1e-20, 0, 0, 0, 0, 0, 0});
  return isometry::analyze(std::vector{a, b}, "stack");
}

TEST_CASE("spectra: JSON has the schema and reads back to the same doubles") {
  const isometry::Result result = example();
  const std::string text = to_json(result);
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(
      text.starts_with(R"({"schema":1,"rows":3,"cols":4,"of":"stack","method":"explicit","precision":"f64","floor":)"));
  const json j = json::parse(text);
  CHECK(j.size() == 9);
  CHECK(j["floor"] == result.floor);
  REQUIRE(j["samples"].size() == 2);
  const json& first = j["samples"][0];
  CHECK(first.size() == 4);
  CHECK(first["singular_values"] == json(result.samples[0].singular_values));
  CHECK(first["singular_values"][1] == 1.0 / 3);
  CHECK(first["log10_singular_values"][0] == std::log10(4.0));
  CHECK(first["log10_singular_values"][2].is_null());
  CHECK(first["resolved"] == 2);
  CHECK(first["exact_zeros"] == 1);
  const json& second = j["samples"][1];
  CHECK(second["resolved"] == 1);
  CHECK(second["exact_zeros"] == 1);
  CHECK(close(second["log10_singular_values"][1].get<double>(), -20, 1e-15));
  const json& summary = j["summary"];
  CHECK(summary.size() == 13);
  CHECK(summary["max"] == 4);
  CHECK(summary["min"] == 0);
  CHECK(summary["condition_number"].is_null());
  CHECK(summary["mean_log"] == result.summary.mean_log);
  CHECK(summary["mean_square"] == result.summary.mean_square);
  CHECK(summary["fraction_below_floor"] == 1.0 / 6);
  CHECK(summary["rank"] == 1.5);
  CHECK(summary["rank_se"] == 0.5);
  CHECK(summary["mean_log_se"] == result.summary.mean_log_se);
  CHECK(summary["mean_square_se"] == result.summary.mean_square_se);
  CHECK(summary["log10_max"] == std::log10(4.0));
  CHECK(summary["log10_min"].is_null());
  CHECK(summary["log10_condition"].is_null());
}

TEST_CASE("spectra: a smallest value below the floor is null, not noise") {
  const std::vector<Tensor> graded{Tensor::of({2, 2}, std::vector<double>{1, 0, 0, 1e-20})};
  const json summary = json::parse(to_json(isometry::analyze(graded, "stack")))["summary"];
  CHECK(summary["min"].is_null());
  CHECK(summary["condition_number"].is_null());
  CHECK(summary["log10_min"].is_null());
  CHECK(summary["mean_square_se"].is_null());  // of one sample
}

TEST_CASE("spectra: values beyond the range of a double are in every form") {
  isometry::SampleSpectrum sample;
  sample.log10_singular_values = {350.5, 0, -400.25};
  sample.singular_values = {HUGE_VAL, 1, 0};
  sample.resolved = 3;
  const isometry::Result result = isometry::result_of({sample}, 3, 3, "stack", DType::f64);
  const json j = json::parse(to_json(result));
  CHECK(j["samples"][0]["log10_singular_values"] == json(sample.log10_singular_values));
  CHECK(j["samples"][0]["singular_values"][0].is_null());
  CHECK(j["samples"][0]["singular_values"][2] == 0);
  CHECK(j["summary"]["log10_condition"] == 750.75);
  CHECK(close(j["summary"]["mean_log"].get<double>(), -49.75 * std::log(10.0) / 3, 1e-13));
  CHECK(mentions(to_csv(result), {"\n0,0,inf,1,0,350.5\n", "\n0,2,0,1,0,-400.25\n"}));
  CHECK(to_arrays(result).back().tensor.to_vector() == sample.log10_singular_values);
  const Panel panel = spectrum_panel("deep", result);
  CHECK(panel.values == std::vector<double>{-400.25, 0, 350.5});
  CHECK(panel.note == "min 5.62e-401, median 1, max 3.16e+350");
}

TEST_CASE("spectra: powers of ten as text") {
  CHECK(power_of_ten(0, 6) == "1");
  CHECK(power_of_ten(std::log10(0.125), 6) == "0.125");
  CHECK(power_of_ten(-HUGE_VAL, 3) == "0");
  CHECK(power_of_ten(std::nan(""), 3) == "-");
  CHECK(power_of_ten(-400, 3) == "1e-400");
  CHECK(power_of_ten(-400.0000001, 3) == "1e-400");
  CHECK(power_of_ten(1000.5, 4) == "3.162e+1000");
}

TEST_CASE("spectra: CSV and arrays") {
  const isometry::Result result = example();
  const std::string csv = to_csv(result);
  CHECK(csv.starts_with("sample,index,singular_value,resolved,exact_zero,log10_singular_value\n0,0,4,1,0,"));
  CHECK(mentions(csv, {"\n0,1,0.3333333333333333,1,0,-0.4771212547196", "\n0,2,0,0,1,-inf",
                       "\n1,0,2,1,0,0.301029995663981", "\n1,1,1e-20,0,0,-20\n"}));
  const std::vector<NamedTensor> arrays = to_arrays(result);
  REQUIRE(arrays.size() == 6);
  CHECK(arrays[0].name == "singular_values");
  CHECK(arrays[0].tensor.shape() == Shape{2, 3});
  CHECK(arrays[0].tensor.to_vector()[1] == 1.0 / 3);
  CHECK(arrays[2].tensor.to_integers() == std::vector<std::int64_t>{2, 1});
  CHECK(arrays[3].tensor.to_integers() == std::vector<std::int64_t>{1, 1});
  CHECK(arrays[4].tensor.to_integers() == std::vector<std::int64_t>{3, 4});
}

TEST_CASE("spectra: the panel of a histogram shows what is resolved and says the rest") {
  const Panel panel = spectrum_panel("fc", example());
  CHECK(close(panel.values, {std::log10(1.0 / 3), std::log10(2.0), std::log10(4.0)}, 1e-15));
  CHECK(panel.total == 6);
  CHECK(panel.zeros == 2);
  CHECK(panel.label == "fc, 2 exact zeros, 1 below the floor");
  CHECK(panel.note == "min 0.333, median 2, max 4");
  const std::vector<Tensor> identity{Tensor::identity(64)}, nothing{Tensor::zeros({2, 2}, DType::f64)};
  const Panel rezero = spectrum_panel("rezero", isometry::analyze(identity, "stack"));
  CHECK(rezero.values == std::vector<double>(64, 0.0));
  CHECK(rezero.note == "min 1, median 1, max 1");
  const Panel dead = spectrum_panel("dead", isometry::analyze(nothing, "stack"));
  CHECK(dead.label == "dead, 2 exact zeros");
  CHECK(dead.note.empty());
  const std::string picture = svg(spectrum_histogram("Spectra", {panel, rezero, dead}));
  for (const char* text :
       {">fc, 2 exact zeros, 1 below the floor<", ">min 1, median 1, max 1<", ">dead, 2 exact zeros<"}) {
    CAPTURE(text);
    CHECK(picture.find(text) != picture.npos);
  }
}

}  // namespace
