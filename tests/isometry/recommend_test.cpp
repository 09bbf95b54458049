#include "tools/isometry/theory/recommend.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "tools/isometry/theory/critical.h"

using namespace rz;
using namespace rz::isometry;

namespace {

TEST_CASE("recommend: a deep network keeps its limits, and would not a little further along the line") {
  const auto at = [](double sigma_b) {
    const CriticalPoint point = critical_for_sigma_b(ScalarFunction::tanh, sigma_b);
    const LayerLaw layer{ScalarFunction::tanh, point.q, point.sigma_w, Weights::orthogonal, 64};
    return deep_law({&layer, 1}).summary();
  };
  const Recommendation variance =
      recommend_deep(ScalarFunction::tanh, 64, Weights::orthogonal, {.variance_over_mean2 = 0.25});
  CHECK(at(variance.sigma_b).variance_over_mean2 == doctest::Approx(0.25).epsilon(1e-9));
  CHECK(critical_for_sigma_b(ScalarFunction::tanh, variance.sigma_b).sigma_w == doctest::Approx(variance.sigma_w));
  CHECK(std::isnan(variance.gate));
  const Recommendation largest = recommend_deep(ScalarFunction::tanh, 64, Weights::orthogonal, {.s_max = 2});
  CHECK(at(largest.sigma_b).s_max <= 2);
  CHECK(at(1.001 * largest.sigma_b).s_max > 2);
}

TEST_CASE("recommend: residual gates fall like 1 / sqrt(depth)") {
  const LayerLaw branch{ScalarFunction::tanh, 0.5, 1, Weights::gaussian};
  const Limits limits{.s_min = 0.8, .s_max = 1.25};
  const double few = recommend_gate(branch, 16, nn::Branch::activation_first, limits).gate;
  const double many = recommend_gate(branch, 1600, nn::Branch::activation_first, limits).gate;
  CHECK(few / many == doctest::Approx(10).epsilon(0.01));
  const ResidualLayerLaw layer{{ScalarFunction::tanh, 0.5, 1, Weights::gaussian, 16}, few};
  const TheorySpectrum s = residual_law({&layer, 1}, nn::Branch::activation_first).summary();
  CHECK(std::max(s.s_max / 1.25, 0.8 / s.s_min) == doctest::Approx(1).epsilon(1e-9));
}

TEST_CASE("recommend: says why nothing does") {
  const auto reason = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::value);
      return error.message();
    }
    return "";
  };
  CHECK(reason([] {
          recommend_deep(ScalarFunction::tanh, 10, Weights::gaussian, {.variance_over_mean2 = 1});
        }).find("at least the depth, 10") != std::string::npos);
  CHECK(reason([] {
          recommend_deep(ScalarFunction::relu, 10, Weights::orthogonal, {.variance_over_mean2 = 1});
        }).find("no point of the critical line of relu") != std::string::npos);
  CHECK(reason([] { recommend_deep(ScalarFunction::tanh, 0, Weights::orthogonal, {}); }).find("0 layers") !=
        std::string::npos);
  CHECK(reason([] {
          recommend_gate({ScalarFunction::tanh}, 10, nn::Branch::activation_last, {.s_min = 2, .s_max = 3});
        }).find("leave out 1") != std::string::npos);
}

}  // namespace
