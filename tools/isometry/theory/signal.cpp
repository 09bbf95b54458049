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
  RZ_CHECK(value, start.q >= 0 && start.q <= 1e200, "the first q = {} must lie between 0 and 10^200", start.q);
  RZ_CHECK(value, start.c >= -1 && start.c <= 1, "the first correlation {} must lie between -1 and 1", start.c);
  RZ_CHECK(value, start.mean * start.mean <= start.q * (1 + 1e-12), "signal: a mean of {} is not possible at q = {}",
           start.mean, start.q);
}

double bounded_correlation(double c) { return std::clamp(c, -1.0, 1.0); }  // against rounding

// What a layer makes of two pre-activations N(0, q) with correlation c.
struct Pair {
  Moments moments;
  double product;  // E phi(u) phi(v)
};
Pair pair_at(Scalar phi, double q, double c) {
  const Moments m = moments(phi, q);
  if (q < 1e-290) {  // phi is straight there
    const double at_zero = std::pow(evaluate(phi, 0, 0), 2);
    return {m, at_zero + c * (m.second - at_zero)};
  }
  return {m, c == 1 ? m.second : TwoPoint(phi, q).at(c).value};
}

constexpr double most = 1e300;
bool overflows(double q) { return !(q <= most); }

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
    signal.chi.push_back(scale * pair.moments.mu_1);
    append(signal, scale * pair.moments.second + bias, scale * pair.product + bias);
  }
  return signal;
}

namespace {

// Squared length and mean over the units of a residual stream, layer by layer.
class Stream {
 public:
  Stream(double sigma_w, double sigma_b, nn::Branch branch, const SignalStart& start)
      : scale_(sigma_w * sigma_w),
        bias_(sigma_b * sigma_b),
        first_(branch == nn::Branch::activation_last),
        q_(start.q),
        mean_(start.mean) {
    check_sigmas(sigma_w, sigma_b);
    check_start(start);
    RZ_CHECK(value, first_ || start.mean == 0, "a mean over the units is for the branch phi(W x + b) alone");
  }
  double q() const { return q_; }
  // Variance of phi's argument, or covariance where the stream has this one.
  double argument(double square) const { return first_ ? scale_ * square + bias_ : square; }
  // What the branch has for E phi(u) phi(v), and what comes in from the means.
  double added(double gate, double product, const Moments& m) const {
    const double cross = first_ ? 2 * gate * mean_ * m.mean : 0;
    return cross + gate * gate * (first_ ? product : scale_ * product + bias_);
  }
  void add(double gate, const Moments& m) {
    q_ += added(gate, m.second, m);
    if (first_) mean_ += gate * m.mean;
  }

 private:
  double scale_, bias_;
  bool first_;
  double q_, mean_;
};

}  // namespace

Signal residual_signal(Scalar phi, double sigma_w, double sigma_b, nn::Branch branch, std::span<const double> gates,
                       const SignalStart& start) {
  Stream stream(sigma_w, sigma_b, branch, start);
  Signal signal{{start.q}, {start.c}, {}};
  double covariance = start.c * start.q;
  for (const double a : gates) {
    const double inner = stream.argument(stream.q());
    if (overflows(signal.q.back()) || overflows(inner)) {
      append_infinite(signal);
      continue;
    }
    const double inner_c = inner > 0 ? stream.argument(covariance) / inner : signal.c.back();
    const Pair pair = pair_at(phi, inner, bounded_correlation(inner_c));
    signal.chi.push_back(1 + a * a * sigma_w * sigma_w * pair.moments.mu_1);
    covariance += stream.added(a, pair.product, pair.moments);
    stream.add(a, pair.moments);
    append(signal, stream.q(), covariance);
  }
  return signal;
}

std::vector<double> residual_arguments(Scalar phi, double sigma_w, double sigma_b, nn::Branch branch,
                                       std::span<const double> gates, const SignalStart& start,
                                       const std::function<Moments(double)>& moments_at) {
  Stream stream(sigma_w, sigma_b, branch, start);
  std::vector<double> arguments;
  for (const double gate : gates) {
    const double q = stream.argument(stream.q());
    arguments.push_back(overflows(q) ? most : q);
    if (!overflows(q)) stream.add(gate, q > 0 ? moments_at(q) : moments(phi, 0));
  }
  return arguments;
}

}  // namespace rz::isometry
