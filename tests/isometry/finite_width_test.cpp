#include "tools/isometry/theory/finite_width.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "support/close.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

const nlohmann::json& ref03(const char* group) { return reference("ref03_finite_width.json").at(group); }

void check_second_moments(const nlohmann::json& in, const std::vector<double>& expected) {
  const bool residual = in.at("skip") == 1;
  const double root = std::sqrt(number(in.at("alpha2_or_sw2")));
  const FiniteWidth f = finite_width(residual ? RandomProduct::residual : RandomProduct::linear, in.at("N"), in.at("L"),
                                     residual ? 1 : root, residual ? root : 1);
  const std::vector<double> got{f.e_tr, f.e_tr2, f.e_tr_sq};
  for (std::size_t i = 0; i < 3; ++i) CHECK_MESSAGE(close(got[i] / expected[i], 1, 1e-12), in.dump());
}

void check_log_statistics(const nlohmann::json& row) {
  const std::int64_t n = row.at("N"), layers = 5;
  const FiniteWidth f = finite_width(RandomProduct::linear, n, layers, 1);
  const auto per_layer = [&](double value) { return value / static_cast<double>(layers); };
  CHECK(close(f.lyapunov.front(), number(row.at("lyap_top")), 1e-14));
  CHECK(close(f.lyapunov.back(), number(row.at("lyap_bottom")), 1e-14));
  CHECK(std::ssize(f.lyapunov) == n);
  CHECK(close(per_layer(f.mean_log_sigma), number(row.at("mean_log_sigma_per_layer")), 1e-13));
  CHECK(close(per_layer(f.var_log_det), number(row.at("var_log_absdet_per_layer")), 1e-13));
  CHECK(close(per_layer(f.mean_log_norm), number(row.at("mean_log_norm_Ju_per_layer")), 1e-14));
  CHECK(close(per_layer(f.var_log_norm) / number(row.at("var_log_norm_Ju_per_layer")), 1, 1e-12));
}

TEST_CASE("finite width: golden entries") {
  int moments = 0, logarithms = 0;
  for (const auto& entry : reference("golden.json")) {
    const std::string quantity = entry.at("quantity");
    if (quantity.starts_with("E tr, E tr2, E (tr)^2")) {
      check_second_moments(entry.at("inputs"), numbers(entry.at("value")));
      ++moments;
    } else if (quantity == "Gaussian product log-sigma statistics per layer") {
      check_log_statistics(entry.at("value"));
      ++logarithms;
    }
  }
  CHECK(moments == 40);
  CHECK(logarithms == 11);
}

TEST_CASE("finite width: ref03's tables") {
  int rows = 0;
  for (const auto& row : ref03("gaussian_product_sw2=1").at("rows")) {
    check_log_statistics(row);
    ++rows;
  }
  for (const auto& row : ref03("exact_second_moments").at("rows")) {
    check_second_moments(row, {number(row.at("E_tr")), number(row.at("E_tr2")), number(row.at("E_tr_sq"))});
    ++rows;
  }
  for (const auto& row : ref03("relu_exact").at("rows")) {
    const double two = std::sqrt(2.0);
    CHECK(close(
        finite_width(RandomProduct::relu, row.at("N"), row.at("L"), two).fourth_moment_ratio / number(row.at("ratio")),
        1, 1e-12));
    CHECK(close(finite_width(RandomProduct::linear, row.at("N"), row.at("L"), 1).fourth_moment_ratio /
                    number(row.at("ratio_linear")),
                1, 1e-12));
    ++rows;
  }
  for (const auto& row : ref03("relu_log_norm2_per_layer")) {
    const LogNorm norm = relu_log_norm2(row.at("N"), std::sqrt(2.0));
    CHECK_MESSAGE(close(norm.mean / number(row.at("mean_log_norm2")), 1, 1e-11), row.dump());
    CHECK_MESSAGE(close(norm.variance / number(row.at("var_log_norm2")), 1, 1e-11), row.dump());
    const FiniteWidth f = finite_width(RandomProduct::relu, row.at("N"), 10, std::sqrt(2.0));
    CHECK(close(f.mean_log_norm, 5 * norm.mean, 1e-14));
    CHECK(close(f.var_log_norm, 2.5 * norm.variance, 1e-14));
    ++rows;
  }
  for (const auto& row : ref03("relu_expected_rank_over_N")) {
    const FiniteWidth f = finite_width(RandomProduct::relu, row.at("N"), row.at("L"), 1);
    CHECK_MESSAGE(close(f.expected_rank / row.at("N").get<double>(), number(row.at("E_rank_over_N")), 1e-12),
                  row.dump());
    ++rows;
  }
  CHECK(rows == 11 + 40 + 16 + 8 + 9);
  const auto& measured = reference("ref08_extra.json").at("relu_Ju_moments");
  CHECK(measured.size() == 3);
  for (const auto& row : measured) {
    const double exact =
        finite_width(RandomProduct::relu, row.at("N"), row.at("L"), std::sqrt(2.0)).fourth_moment_ratio;
    CHECK(close(exact, number(row.at("exact4")), 1e-13));
    CHECK(std::abs(exact - number(row.at("E4"))) < 4 * number(row.at("se4")));
  }
}

// Singular values of real relu networks at a fixed input: the masks depend on the weights.
TEST_CASE("finite width: traces and rank of small relu networks") {
  constexpr std::size_t n = 4;
  constexpr int layers = 3, draws = 40000;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0, std::sqrt(2.0 / 4));
  double tr = 0, tr2 = 0, tr_sq = 0, square = 0;
  for (int draw = 0; draw < draws; ++draw) {
    std::vector<double> x{1, -0.5, 2, 0.3}, j(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) j[i * n + i] = 1;
    for (int l = 0; l < layers; ++l) {
      std::vector<double> next(n, 0.0), product(n * n, 0.0);
      for (std::size_t i = 0; i < n; ++i) {
        double row[n];
        for (std::size_t k = 0; k < n; ++k) next[i] += (row[k] = normal(random)) * x[k];
        if (next[i] <= 0) {
          next[i] = 0;
          continue;
        }
        for (std::size_t k = 0; k < n; ++k) {
          for (std::size_t c = 0; c < n; ++c) product[i * n + c] += row[k] * j[k * n + c];
        }
      }
      x = next;
      j = product;
    }
    double trace = 0, trace2 = 0;
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) {
        double m = 0;
        for (std::size_t c = 0; c < n; ++c) m += j[a * n + c] * j[b * n + c];
        if (a == b) trace += m / 4;
        trace2 += m * m / 4;
      }
    }
    tr += trace / draws;
    tr2 += trace2 / draws;
    tr_sq += trace * trace / draws;
    square += trace2 * trace2 / draws;
  }
  const FiniteWidth f = finite_width(RandomProduct::relu, n, layers, std::sqrt(2.0));
  CHECK(f.e_tr == doctest::Approx(1));
  const double standard_error = std::sqrt(square / draws);
  CHECK(std::abs(tr - f.e_tr) < 0.03);
  CHECK(std::abs(tr2 - f.e_tr2) < 3 * standard_error);
  CHECK(std::abs(tr_sq - f.e_tr_sq) < 3 * standard_error);
  CHECK(standard_error < 0.1 * f.e_tr2);
}

TEST_CASE("finite width: special functions, scaling and what is not known") {
  CHECK(close(digamma(1), -std::numbers::egamma, 1e-15));
  CHECK(close(digamma(0.5), -std::numbers::egamma - 2 * std::numbers::ln2, 1e-15));
  CHECK(close(digamma(100.5), std::log(100) + 1.0 / (24 * 1e4) - 7.0 / (960 * 1e8), 1e-15));
  CHECK(close(trigamma(1), std::numbers::pi * std::numbers::pi / 6, 1e-15));
  CHECK(close(trigamma(0.5), std::numbers::pi * std::numbers::pi / 2, 1e-15));
  for (double x = 0.25; x < 40; x *= 1.3) {
    CHECK(close(digamma(x + 1) - digamma(x), 1 / x, 1e-14));
    CHECK(close(trigamma(x) - trigamma(x + 1), 1 / (x * x), 1e-14));
  }
  const FiniteWidth one = finite_width(RandomProduct::linear, 16, 6, 1),
                    two = finite_width(RandomProduct::linear, 16, 6, 2);
  CHECK(close(two.e_tr2 / one.e_tr2, std::pow(2, 24), 1e-14));
  CHECK(close(two.mean_log_sigma - one.mean_log_sigma, 6 * std::numbers::ln2, 1e-14));
  CHECK(close(two.lyapunov[3] - one.lyapunov[3], std::numbers::ln2, 1e-14));
  CHECK(one.expected_rank == 16);
  const FiniteWidth residual = finite_width(RandomProduct::residual, 16, 6, 1, 0);
  CHECK(residual.e_tr2 == 1);
  CHECK(residual.fourth_moment_ratio == 1);
  CHECK(std::isnan(residual.mean_log_sigma));
  CHECK(residual.lyapunov.empty());
  CHECK(std::isinf(finite_width(RandomProduct::relu, 16, 6, 1).mean_log_sigma));
  CHECK(mentions(message_of(ErrorCode::value, [] { finite_width(RandomProduct::linear, 0, 3, 1); }), {"width of 0"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { finite_width(RandomProduct::linear, 3, 0, 1); }), {"0 layers"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { finite_width(RandomProduct::relu, 3, 3, -1); }), {"sigma_w = -1"}));
}

}  // namespace
