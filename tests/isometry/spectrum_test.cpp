#include "tools/isometry/spectrum.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/linalg.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

TEST_CASE("spectrum: the identity has singular values of exactly 1") {
  for (const DType dtype : real_types) {
    for (const std::int64_t n : {1, 2, 7, 64, 200}) {
      const SampleSpectrum s = spectrum(Tensor::identity(n, dtype));
      CHECK(s.singular_values == std::vector<double>(static_cast<std::size_t>(n), 1.0));
      CHECK(s.log10_singular_values == std::vector<double>(static_cast<std::size_t>(n), 0.0));
      CHECK(s.resolved == n);
      CHECK(s.exact_zeros == 0);
      const double eps = dtype == DType::f32 ? 0x1p-23 : 0x1p-52;
      CHECK(s.floor == static_cast<double>(n) * eps);
    }
  }
}

TEST_CASE("spectrum: rows and columns of zeros give exact zeros") {
  const SampleSpectrum rows = spectrum(matrix(3, 3, {3, 0, 0, 0, 0, 0, 0, 0, 4}));
  CHECK(rows.singular_values == std::vector<double>{4, 3, 0});
  CHECK(rows.resolved == 2);
  CHECK(rows.exact_zeros == 1);

  const SampleSpectrum spare = spectrum(matrix(1, 3, {0, 0, 2}));  // zero columns, but still of full rank
  CHECK(spare.singular_values == std::vector<double>{2});
  CHECK(spare.exact_zeros == 0);

  const SampleSpectrum nothing = spectrum(Tensor::zeros({2, 3}, DType::f32));
  CHECK(nothing.singular_values == std::vector<double>{0, 0});
  CHECK(nothing.resolved == 0);
  CHECK(nothing.exact_zeros == 2);
  CHECK(nothing.floor == 0);

  Tensor j = normal_input({30, 20}, "zeros");  // 18 rows, 13 columns stay
  for (std::int64_t r = 0; r < 30; ++r) {
    for (std::int64_t c = 0; c < 20; ++c) {
      if (r % 5 < 2 || c % 3 == 0) j.data<double>()[r * 20 + c] = 0;
    }
  }
  const SampleSpectrum mixed = spectrum(j);
  CHECK(mixed.resolved == 13);
  CHECK(mixed.exact_zeros == 7);
}

TEST_CASE("spectrum: values below the floor are neither resolved nor exact zeros") {
  for (const DType dtype : real_types) {
    std::vector<double> products;
    for (int i = 1; i <= 6; ++i) {
      for (int j = 1; j <= 4; ++j) products.push_back(i * j * 0.1);
    }
    const SampleSpectrum s = spectrum(matrix(6, 4, products, dtype));
    CHECK(close(s.singular_values[0], 0.1 * std::sqrt(91.0 * 30.0), dtype == DType::f32 ? 1e-6 : 1e-14));
    CHECK(std::is_sorted(s.singular_values.rbegin(), s.singular_values.rend()));
    CHECK(s.resolved == 1);
    CHECK(s.exact_zeros == 0);
  }
  const SampleSpectrum graded = spectrum(matrix(3, 3, {1e-20, 0, 0, 0, 1, 0, 0, 0, 1e-10}));
  CHECK(close(graded.singular_values, {1, 1e-10, 1e-20}, 1e-16));
  CHECK(graded.resolved == 2);
  CHECK(graded.exact_zeros == 0);
}

TEST_CASE("spectrum: hundreds of equal values") {
  const std::int64_t n = 600;
  const auto all_but_one = [](const SampleSpectrum& s, double one, double others) {
    std::vector<double> expected(s.singular_values.size(), others);
    (one > others ? expected.front() : expected.back()) = one;
    return close(s.singular_values, expected, 1e-12);
  };
  const Tensor u = normal_input({n, 1}, "u");
  const double square = ops::sum_of_squares(u).item();
  for (const double a : {-0.5, 0.5, 3.0}) {  // I + a u u^T / |u|^2: 1 + a, and 1
    Tensor j = ops::gemm(Transpose::no, u, Transpose::yes, u, a / square);
    for (std::int64_t i = 0; i < n; ++i) j.data<double>()[i * (n + 1)] += 1;
    CHECK(all_but_one(spectrum(j), 1 + a, 1));
  }
  const Tensor q = qr(normal_input({n, n}, "q")).q;
  for (const double a : {1e-150, 0.3, 1e200}) {
    const SampleSpectrum s = spectrum(ops::scale(a, q));
    CHECK(close(s.log10_singular_values, std::vector<double>(static_cast<std::size_t>(n), std::log10(a)), 1e-12));
    CHECK(s.resolved == n);
  }
}

TEST_CASE("spectrum: many matrices give what each gives alone") {
  const int before = threads();
  set_threads(3);
  std::vector<Tensor> jacobians;
  for (int i = 0; i < 7; ++i) jacobians.push_back(normal_input({20, 30}, "many" + std::to_string(i)));
  const std::vector<SampleSpectrum> all = spectra(jacobians);
  for (std::size_t i = 0; i < jacobians.size(); ++i)
    CHECK(all[i].singular_values == spectrum(jacobians[i]).singular_values);
  CHECK(spectra({}).empty());
  jacobians[5].data<double>()[31] = std::numeric_limits<double>::quiet_NaN();
  CHECK(mentions(message_of(ErrorCode::value, [&] { spectra(jacobians); }),
                 {"spectrum", "sample 5", "[20, 30]", "nan", "row 1", "column 1"}));
  set_threads(before);
}

TEST_CASE("spectrum: wrong matrices are refused by name") {
  CHECK(mentions(message_of(ErrorCode::shape, [] { spectrum(Tensor::zeros({3}), "W"); }),
                 {"spectrum", "W [3]", "matrix"}));
  CHECK(mentions(message_of(ErrorCode::shape, [] { spectrum(Tensor::zeros({0, 3})); }), {"[0, 3]"}));
  CHECK(mentions(message_of(ErrorCode::shape, [] { spectrum(Tensor()); }), {"Jacobian"}));
  CHECK(mentions(message_of(ErrorCode::dtype, [] { spectrum(Tensor::zeros({2, 2}, DType::i64)); }),
                 {"i64", "f32 or f64"}));
  const Tensor a = Tensor::identity(2), b = Tensor::identity(3), c = Tensor::identity(2, DType::f32);
  CHECK(mentions(message_of(ErrorCode::shape, [&] { analyze(std::vector{a, b}, "stack"); }), {"[2, 2]", "[3, 3]"}));
  CHECK(mentions(message_of(ErrorCode::dtype, [&] { analyze(std::vector{a, c}, "stack"); }), {"f64", "f32"}));
  CHECK(mentions(message_of(ErrorCode::value, [&] { analyze({}, "stack"); }), {"at least one"}));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { result_of({spectrum(a)}, 3, 4, "stack", DType::f64); }),
                 {"2", "3 x 4", "3"}));
}

TEST_CASE("spectrum: the summary is over the values of all samples") {
  const Result result = analyze(std::vector{matrix(2, 2, {2, 0, 0, 0.5}), matrix(2, 2, {4, 0, 0, 1e-20})}, "network");
  const Summary& s = result.summary;
  CHECK(result.rows == 2);
  CHECK(result.of == "network");
  CHECK(result.method == "explicit");
  CHECK(result.precision == "f64");
  CHECK(result.floor == 2 * 0x1p-52 * 4);
  CHECK(s.max == 4);
  CHECK(s.min == 1e-20);
  CHECK(close(s.mean_square, (4 + 0.25 + 16) / 4, 1e-15));
  CHECK(close(s.mean_log, std::log(4.0) / 3, 1e-15));
  CHECK(close(s.condition_number / 4e20, 1, 1e-15));
  CHECK(s.fraction_below_floor == 0.25);
  CHECK(s.rank == 1.5);
  CHECK(s.log10_max == std::log10(4.0));
  CHECK(close(s.log10_min, -20, 1e-13));
  CHECK(close(s.log10_condition, 20 + std::log10(4.0), 1e-13));
}

TEST_CASE("spectrum: standard errors are those of means over the samples") {
  std::vector<Tensor> samples;
  for (const double scale : {1.0, 2.0, 4.0, 8.0}) samples.push_back(matrix(2, 2, {scale, 0, 0, 2 * scale}));
  const Summary s = analyze(samples, "stack").summary;
  CHECK(close(s.mean_log, 2 * std::log(2.0), 1e-15));
  CHECK(close(s.mean_log_se, std::log(2.0) * std::sqrt(5.0 / 3 / 4), 1e-15));  // of 0.5, 1.5, 2.5, 3.5 times log 2
  const double squares[] = {2.5, 10, 40, 160}, mean = 212.5 / 4;
  double scatter = 0;
  for (const double x : squares) scatter += (x - mean) * (x - mean);
  CHECK(close(s.mean_square, mean, 1e-13));
  CHECK(close(s.mean_square_se, std::sqrt(scatter / 3 / 4), 1e-13));
  CHECK(s.rank_se == 0);
  const Summary one = analyze(std::vector{samples[0]}, "stack").summary;
  CHECK(std::isnan(one.mean_log_se));
  CHECK(std::isnan(one.mean_square_se));
  CHECK(std::isnan(one.rank_se));
  // Samples of different rank: the error of a ratio of sums, log 2 / 1 resolved and (log 4 + log 8) / 2.
  const Summary ranks = analyze(std::vector{matrix(2, 2, {2, 0, 0, 0}), matrix(2, 2, {4, 0, 0, 8})}, "stack").summary;
  CHECK(close(ranks.mean_log, 2 * std::log(2.0), 1e-15));
  CHECK(close(ranks.mean_log_se, 2 * std::log(2.0) / 3, 1e-15));
  CHECK(ranks.rank_se == 0.5);
}

TEST_CASE("spectrum: means over the samples, with the errors of the ends") {
  const SampleMeans m =
      sample_means(analyze(std::vector{matrix(2, 2, {2, 0, 0, 0.5}), matrix(2, 2, {8, 0, 0, 1})}, "stack").samples);
  const auto check = [](const Estimate& e, double a, double b) {
    CHECK(close(e.value, (a + b) / 2, 1e-15));
    CHECK(close(e.standard_error, std::fabs(a - b) / 2, 1e-15));
  };
  check(m.max, 2, 8);
  check(m.min, 0.5, 1);
  check(m.log10_max, std::log10(2.0), std::log10(8.0));
  check(m.log10_min, std::log10(0.5), 0);
  check(m.condition_number, 4, 8);
  check(m.log10_condition, std::log10(4.0), std::log10(8.0));
  check(m.fraction_below_floor, 0, 0);
  const SampleMeans noise =
      sample_means(analyze(std::vector{matrix(2, 2, {2, 0, 0, 1}), matrix(2, 2, {4, 0, 0, 1e-20})}, "stack").samples);
  check(noise.max, 2, 4);
  check(noise.fraction_below_floor, 0, 0.5);
  for (const Estimate& e : {noise.min, noise.log10_min, noise.condition_number, noise.log10_condition}) {
    CHECK(std::isnan(e.value));
    CHECK(std::isnan(e.standard_error));
  }
  const SampleMeans one = sample_means(analyze(std::vector{matrix(2, 2, {3, 0, 0, 0})}, "stack").samples);
  CHECK(one.max.value == 3);
  CHECK(one.min.value == 0);
  CHECK(std::isnan(one.max.standard_error));
  CHECK(mentions(message_of(ErrorCode::value, [] { sample_means({}); }), {"at least one"}));
}

TEST_CASE("spectrum: the summary holds where singular values leave the range of a double") {
  SampleSpectrum sample;
  sample.log10_singular_values = {400, -500, -600};
  sample.singular_values = {HUGE_VAL, 0, 0};
  sample.resolved = 3;
  const Summary s = summarize(std::vector{sample, sample});
  CHECK(close(s.mean_log, -700 / 3.0 * std::log(10.0), 1e-12));
  CHECK(s.mean_log_se == 0);
  CHECK(s.log10_max == 400);
  CHECK(s.log10_min == -600);
  CHECK(s.log10_condition == 1000);
  CHECK(std::isinf(s.condition_number));
  CHECK(s.rank == 3);
}

TEST_CASE("spectrum: the summary without resolved values, and with exact zeros") {
  const Summary zeros = analyze(std::vector{Tensor::zeros({3, 2}, DType::f64)}, "stack").summary;
  CHECK(zeros.max == 0);
  CHECK(zeros.min == 0);
  CHECK(zeros.mean_square == 0);
  CHECK(std::isnan(zeros.mean_log));
  CHECK(std::isnan(zeros.condition_number));
  CHECK(zeros.fraction_below_floor == 0);
  CHECK(zeros.rank == 0);
  const Summary one = analyze(std::vector{matrix(2, 2, {0, 0, 0, 3})}, "stack").summary;
  CHECK(one.min == 0);
  CHECK(one.condition_number == std::numeric_limits<double>::infinity());
  CHECK(close(one.mean_log, std::log(3.0), 1e-15));
  CHECK(one.rank == 1);
}

}  // namespace
