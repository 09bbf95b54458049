#include "tools/isometry/theory/signal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "tools/isometry/theory/mean_field.h"
#include "tools/isometry/theory/two_point.h"

namespace rz::isometry {
namespace {

void check_start(const SignalStart& start) {
  RZ_CHECK(value, start.q >= 0 && start.q <= 1e200, "signal: the first q = {} must lie between 0 and 10^200", start.q);
  RZ_CHECK(value, start.c >= -1 && start.c <= 1, "signal: the first correlation {} must lie between -1 and 1", start.c);
  RZ_CHECK(value, start.mean * start.mean <= start.q * (1 + 1e-12), "signal: a mean of {} is not possible at q = {}",
           start.mean, start.q);
}

double bounded_correlation(double c) { return std::clamp(c, -1.0, 1.0); }  // against rounding

// What a layer makes of two pre-activations N(0, q) with correlation c.
struct Pair {
  double square, product, slope_square, mean;  // E phi(u)^2, E phi(u) phi(v), E phi'(u)^2, E phi(u)
};
Pair pair_at(Scalar phi, double q, double c) {
  const Moments m = moments(phi, q);
  const double mean = expectation(gaussian_rule(phi, q), [&](double x) { return evaluate(phi, 0, x); });
  if (q < 1e-290) {  // phi is straight there
    const double at_zero = std::pow(evaluate(phi, 0, 0), 2);
    return {m.second, at_zero + c * (m.second - at_zero), m.mu_1, mean};
  }
  return {m.second, c == 1 ? m.second : TwoPoint(phi, q).at(c).value, m.mu_1, mean};
}

bool overflows(double q) { return !(q <= 1e300); }

// A layer whose q is too large to go on from.
void append_infinite(Signal& signal) {
  signal.q.push_back(std::numeric_limits<double>::infinity());
  signal.c.push_back(signal.c.back());
  signal.chi.push_back(signal.chi.back());
}

void append(Signal& signal, double q, double covariance) {
  signal.c.push_back(q > 0 ? bounded_correlation(covariance / q) : signal.c.back());
  signal.q.push_back(q);
}

}  // namespace

Signal deep_signal(Scalar phi, double sigma_w, double sigma_b, const SignalStart& start, std::int64_t layers) {
  check_sigmas(sigma_w, sigma_b);
  check_start(start);
  RZ_CHECK(value, layers >= 0, "signal: {} layers", layers);
  const double scale = sigma_w * sigma_w, bias = sigma_b * sigma_b;
  Signal signal{{start.q}, {start.c}, {}};
  for (std::int64_t l = 0; l < layers; ++l) {
    if (overflows(signal.q.back())) {
      append_infinite(signal);
      continue;
    }
    const Pair pair = pair_at(phi, signal.q.back(), signal.c.back());
    signal.chi.push_back(scale * pair.slope_square);
    append(signal, scale * pair.square + bias, scale * pair.product + bias);
  }
  return signal;
}

Signal residual_signal(Scalar phi, double sigma_w, double sigma_b, nn::Branch branch, std::span<const double> gates,
                       const SignalStart& start) {
  check_sigmas(sigma_w, sigma_b);
  check_start(start);
  const bool first = branch == nn::Branch::activation_last;
  RZ_CHECK(value, first || start.mean == 0, "signal: a mean over the units is for the branch phi(W x + b) alone");
  const double scale = sigma_w * sigma_w, bias = sigma_b * sigma_b;
  Signal signal{{start.q}, {start.c}, {}};
  double mean = start.mean, covariance = start.c * start.q;
  for (const double a : gates) {
    const double q = signal.q.back(), inner = first ? scale * q + bias : q;
    if (overflows(q) || overflows(inner)) {
      append_infinite(signal);
      continue;
    }
    const double inner_c = !first ? signal.c.back() : inner > 0 ? (scale * covariance + bias) / inner : 1;
    const Pair pair = pair_at(phi, inner, bounded_correlation(inner_c));
    const double cross = first ? 2 * a * mean * pair.mean : 0;
    const double square = first ? pair.square : scale * pair.square + bias;
    const double product = first ? pair.product : scale * pair.product + bias;
    signal.chi.push_back(1 + a * a * scale * pair.slope_square);
    covariance += cross + a * a * product;
    append(signal, q + cross + a * a * square, covariance);
    if (first) mean += a * pair.mean;
  }
  return signal;
}

}  // namespace rz::isometry
