#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

double loss_tolerance(DType dtype) { return dtype == DType::f32 ? 5e-6 : 1e-13; }

Tensor labels_of(const std::vector<std::int64_t>& labels) {
  return Tensor::of_integers({static_cast<std::int64_t>(labels.size())}, labels);
}

// One row of logits: loss, then softmax - target.
std::vector<double> naive_cross_entropy(const double* logits, std::size_t classes, std::size_t label,
                                        double smoothing) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (std::size_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
  std::vector<double> result = {0};
  for (std::size_t c = 0; c < classes; ++c) {
    const double log_probability = logits[c] - largest - std::log(sum);
    const double target = (c == label ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
    result[0] -= target * log_probability;
    result.push_back(std::exp(log_probability) - target);
  }
  return result;
}

}  // namespace

TEST_SUITE("core/ops_loss") {
  TEST_CASE("ops: softmax cross entropy with smoothing and ignored rows") {
    for (DType dtype : real_types) {
      for (std::int64_t classes : {1, 2, 10, 257}) {
        for (double smoothing : {0.0, 0.1}) {
          INFO(classes, " ", smoothing);
          const std::int64_t rows = 37;
          const Tensor logits = ops::scale(3, normal_input({rows, classes}, "logits", dtype));
          const std::vector<double> values = logits.to_vector();
          std::vector<std::int64_t> labels;
          std::vector<double> losses, counted, d_logits;
          for (std::int64_t row = 0; row < rows; ++row) {
            const bool ignored = row % 5 == 3;
            labels.push_back(ignored ? -1 : row * 7 % classes);
            std::vector<double> expected =
                naive_cross_entropy(values.data() + row * classes, static_cast<std::size_t>(classes),
                                    static_cast<std::size_t>(row * 7 % classes), smoothing);
            if (ignored) std::fill(expected.begin(), expected.end(), 0.0);
            losses.push_back(expected[0]);
            counted.push_back(ignored ? 0 : 1);
            d_logits.insert(d_logits.end(), expected.begin() + 1, expected.end());
          }
          const CrossEntropyOptions options{.label_smoothing = smoothing, .ignored_label = -1};
          const ops::CrossEntropy result = ops::softmax_cross_entropy(logits, labels_of(labels), options, true);
          CHECK(close(result.losses, losses, loss_tolerance(dtype)));
          CHECK(close(result.counted, counted, 0));
          CHECK(close(result.d_logits, d_logits, loss_tolerance(dtype)));
          CHECK(identical(ops::softmax_cross_entropy(logits, labels_of(labels), options, false).losses, result.losses));
        }
      }
    }
  }

  TEST_CASE("ops: cross entropy of huge logits is finite, of a label out of range NaN") {
    for (DType dtype : real_types) {
      const Tensor logits = Tensor::of({2, 3}, std::vector{1e4, -1e4, 0.0, -1e30, 1e30, 0.0}, dtype);
      const ops::CrossEntropy result = ops::softmax_cross_entropy(logits, labels_of({1, 1}), {}, true);
      CHECK(close(result.losses, {2e4, 0}, loss_tolerance(dtype)));
      CHECK(close(result.d_logits, {1, -1, 0, 0, 0, 0}, loss_tolerance(dtype)));
      for (std::int64_t label : {std::int64_t{3}, std::int64_t{-1}, std::int64_t{1} << 60}) {
        const std::vector<double> losses =
            ops::softmax_cross_entropy(logits, labels_of({label, 1}), {}, true).losses.to_vector();
        CHECK(std::isnan(losses[0]));
        CHECK(std::isfinite(losses[1]));
      }
    }
  }

  TEST_CASE("ops: layer_norm by its definition") {
    const double eps = 1e-3;
    for (DType dtype : real_types) {
      for (std::int64_t n : {1, 2, 30, 513}) {
        INFO(n);
        const Tensor shift = Tensor::full({1}, 1000, dtype);  // the variance must be taken in two passes
        const Tensor x = ops::add(normal_input({7, n}, "x", dtype), shift), gain = normal_input({n}, "gain", dtype);
        const Tensor bias = normal_input({n}, "bias", dtype);
        const std::vector<double> values = x.to_vector(), g = gain.to_vector(), b = bias.to_vector();
        std::vector<double> y, means, inverses;
        for (std::size_t row = 0; row < 7; ++row) {
          const std::size_t columns = static_cast<std::size_t>(n);
          const double* r = values.data() + row * columns;
          double mean = 0, variance = 0;
          for (std::size_t i = 0; i < columns; ++i) mean += r[i] / static_cast<double>(n);
          for (std::size_t i = 0; i < columns; ++i) variance += (r[i] - mean) * (r[i] - mean) / static_cast<double>(n);
          means.push_back(mean);
          inverses.push_back(1 / std::sqrt(variance + eps));
          for (std::size_t i = 0; i < columns; ++i) y.push_back((r[i] - mean) * inverses.back() * g[i] + b[i]);
        }
        const ops::LayerNorm result = ops::layer_norm(x, gain, bias, eps);
        const double rounding =
            dtype == DType::f32 ? 4e-3 : 1e-11;  // the mean of values near 1000 has an error of its own
        CHECK(close(result.y, y, rounding));
        CHECK(close(result.mean, means, dtype == DType::f32 ? 1e-6 : 1e-15));
        CHECK(close(result.inverse_deviation, inverses, rounding));
      }
    }
  }

  TEST_CASE("ops: rms_norm by its definition") {
    for (const DType dtype : real_types) {
      for (const std::int64_t n : {1, 30, 2100}) {
        INFO(n);
        const Tensor x = normal_input({19, n}, "x", dtype), gain = normal_input({n}, "gain", dtype);
        const std::vector<double> values = x.to_vector(), g = gain.to_vector();
        const std::size_t columns = g.size();
        std::vector<double> y, inverses;
        for (std::size_t row = 0; row < 19; ++row) {
          const double* r = values.data() + row * columns;
          const double squares = std::inner_product(r, r + n, r, 0.0);
          inverses.push_back(1 / std::sqrt(squares / static_cast<double>(n) + 0.1));
          for (std::size_t i = 0; i < columns; ++i) y.push_back(r[i] * inverses.back() * g[i]);
        }
        const ops::RmsNorm result = ops::rms_norm(x, gain, 0.1);
        CHECK(close(result.y, y, dtype == DType::f32 ? 1e-6 : 1e-14));
        CHECK(close(result.inverse_rms, inverses, dtype == DType::f32 ? 1e-6 : 1e-14));
      }
    }
  }

  TEST_CASE("ops: norms and their gradients where squares leave the range of f32") {
    const std::int64_t n = 300;
    const Tensor x = normal_input({2, n}, "x", DType::f32), one = Tensor::full({n}, 1, DType::f32);
    const Tensor d_y = normal_input({2, n}, "d_y", DType::f32);
    const ops::LayerNorm layer = ops::layer_norm(x, one, ops::scale(0, one), 0);
    const ops::RmsNorm rms = ops::rms_norm(x, one, 0);
    const auto gradient = [&](const Tensor& at, double size) {
      const Tensor d_layer({2, n}, DType::f32), d_rms({2, n}, DType::f32);
      ops::layer_norm_vjp(at, one, ops::layer_norm(at, one, one, 0), d_y, {d_layer}, {}, {});
      ops::rms_norm_vjp(at, one, ops::rms_norm(at, one, 0).inverse_rms, d_y, {d_rms}, {});
      return std::pair(ops::scale(size, d_layer), ops::scale(size, d_rms));
    };
    const auto [d_layer, d_rms] = gradient(x, 1);
    for (const double size : {1e-25, 1e25}) {
      CAPTURE(size);
      const Tensor scaled = ops::scale(size, x);
      CHECK(close(ops::layer_norm(scaled, one, ops::scale(0, one), 0).y, layer.y.to_vector(), 1e-5));
      CHECK(close(ops::rms_norm(scaled, one, 0).y, rms.y.to_vector(), 1e-5));
      const auto [of_layer, of_rms] = gradient(scaled, size);
      CHECK(close(of_layer, d_layer.to_vector(), 1e-5));
      CHECK(close(of_rms, d_rms.to_vector(), 1e-5));
    }
    const Tensor large = Tensor::full({1, n}, 3e37, DType::f32);  // their sum is beyond f32
    CHECK(close(ops::scale(1e-37, ops::layer_norm(large, one, one, 0.1).mean), std::vector<double>{3}, 1e-6));
  }

  TEST_CASE("ops: layer_norm_vjp agrees with central differences, and computes what is asked for") {
    const double eps = 1e-3, h = 1e-5;
    const std::int64_t rows = 4, n = 9;
    const Tensor x = normal_input({rows, n}, "x"), gain = normal_input({n}, "gain"), bias = normal_input({n}, "bias");
    const Tensor d_y = normal_input({rows, n}, "d_y");
    const auto loss = [&] { return ops::sum(ops::multiply(ops::layer_norm(x, gain, bias, eps).y, d_y)).item(); };
    const auto differences = [&](const Tensor& t) {
      std::vector<double> result;
      for (std::int64_t i = 0; i < t.elements(); ++i) {
        double& element = t.data<double>()[i];
        const double kept = element;
        element = kept + h;
        const double up = loss();
        element = kept - h;
        result.push_back((up - loss()) / (2 * h));
        element = kept;
      }
      return result;
    };
    const ops::LayerNorm forward = ops::layer_norm(x, gain, bias, eps);
    const Tensor d_x({rows, n}, DType::f64), d_gain({n}, DType::f64), d_bias({n}, DType::f64);
    ops::layer_norm_vjp(x, gain, forward, d_y, {d_x}, {d_gain}, {d_bias});
    CHECK(close(d_x, differences(x), 1e-8));
    CHECK(close(d_gain, differences(gain), 1e-8));
    CHECK(close(d_bias, differences(bias), 1e-8));
    const Tensor x_twice = d_x.clone(), gain_twice = d_gain.clone(), bias_twice = d_bias.clone();
    ops::layer_norm_vjp(x, gain, forward, d_y, {x_twice, true}, {}, {});
    ops::layer_norm_vjp(x, gain, forward, d_y, {}, {gain_twice, true}, {});
    ops::layer_norm_vjp(x, gain, forward, d_y, {}, {}, {bias_twice, true});
    CHECK(close(x_twice, ops::scale(2, d_x), 1e-14));
    CHECK(close(gain_twice, ops::scale(2, d_gain), 1e-14));
    CHECK(close(bias_twice, ops::scale(2, d_bias), 1e-14));
  }

  // Far from 0 the mean is large beside the deviation, and a variance from sums of squares would be lost in f32.
  TEST_CASE("ops: layer_norm in f32 of 40000 ... 40003 and of a constant row") {
    const Tensor gain = Tensor::full({4}, 1), bias = Tensor::zeros({4});
    const Tensor x =
        Tensor::of({2, 4}, std::vector{40000.0, 40001.0, 40002.0, 40003.0, 1234.0, 1234.0, 1234.0, 1234.0}, DType::f32);
    const ops::LayerNorm n = ops::layer_norm(x, gain, bias, 1e-5);
    const double d = std::sqrt(1.25 + 1e-5);
    CHECK(close(n.y, {-1.5 / d, -0.5 / d, 0.5 / d, 1.5 / d, 0, 0, 0, 0}, 1e-6));
    const Tensor d_x = Tensor::zeros({2, 4});
    ops::layer_norm_vjp(x, gain, n, Tensor::of({2, 4}, std::vector{1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0}, DType::f32),
                        {d_x}, {}, {});
    for (const double v : d_x.to_vector()) CHECK(std::isfinite(v));
  }
}
