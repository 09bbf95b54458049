#include "tools/isometry/theory/recommend.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace rz;
using namespace rz::isometry;

namespace {

TEST_CASE("recommend: a deep network keeps its limits, and would not a little further along the line") {
  const auto at = [](double sigma_b) {
    const CriticalPoint point = critical_for_sigma_b(ScalarFunction::tanh, sigma_b);
    const LayerLaw layer{ScalarFunction::tanh, point.q, point.sigma_w, Weights::orthogonal, 64};
    return deep_law({&layer, 1}).summary();
  };
  const CriticalPoint variance =
      recommend_deep(ScalarFunction::tanh, 64, Weights::orthogonal, {.variance_over_mean2 = 0.25});
  CHECK(at(variance.sigma_b).variance_over_mean2 == doctest::Approx(0.25).epsilon(1e-9));
  CHECK(critical_for_sigma_b(ScalarFunction::tanh, variance.sigma_b).sigma_w == doctest::Approx(variance.sigma_w));
  const CriticalPoint largest = recommend_deep(ScalarFunction::tanh, 64, Weights::orthogonal, {.s_max = 2});
  CHECK(at(largest.sigma_b).s_max <= 2);
  CHECK(at(1.001 * largest.sigma_b).s_max > 2);
}

TEST_CASE("recommend: residual gates fall like 1 / sqrt(depth) [slow]") {
  RandomNet net{.activation = ScalarFunction::tanh, .depth = 16, .order = nn::Branch::activation_first, .q_0 = 0.5};
  const Limits limits{.s_min = 0.8, .s_max = 1.25};
  const double few = recommend_gate(net, limits);
  net.gates.assign(16, few);
  const TheorySpectrum s = law_of(net).summary();
  CHECK(std::max(s.s_max / 1.25, 0.8 / s.s_min) == doctest::Approx(1).epsilon(1e-9));
  net.depth = 1600;
  CHECK(few / recommend_gate(net, limits) == doctest::Approx(10).epsilon(0.01));
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
  CHECK(reason([] {
          recommend_deep(ScalarFunction::tanh, 10, Weights::orthogonal, {.s_min = 0.5, .s_max = 2});
        }).find("smallest singular value is 0, as the slope") != std::string::npos);
  CHECK(reason([] { recommend_deep(ScalarFunction::tanh, 0, Weights::orthogonal, {}); }).find("0 layers") !=
        std::string::npos);
  CHECK(reason([] {
          recommend_gate({.activation = ScalarFunction::tanh, .depth = 10}, {.s_min = 2, .s_max = 3});
        }).find("gate 0 are 1") != std::string::npos);
}

}  // namespace
