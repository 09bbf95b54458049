// Roots of real functions between two places.
#pragma once

#include <cmath>

namespace rz::isometry {

struct Slope {
  double value, derivative;
};

// Newton's method, kept inside the interval by bisection. f is below 0 at low and above it at high, where it need not
// be defined.
template <class F>
double increasing_root(F&& f, double low, double high) {
  double x = 0.5 * (low + high);
  for (int i = 0; i < 200; ++i) {
    const Slope at = f(x);
    if (at.value == 0) return x;
    (at.value < 0 ? low : high) = x;
    double next = x - at.value / at.derivative;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (std::abs(next - x) <= 1e-16 * std::abs(x)) return next;
    x = next;
  }
  return x;
}

// Where `below` turns from true to false.
template <class F>
double bisect(F&& below, double low, double high) {
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (below(middle) ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace rz::isometry
