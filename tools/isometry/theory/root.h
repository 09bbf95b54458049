// Roots of functions of one variable.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace rz::isometry {

// A root of f between a and b, where f has values of different sign (or 0), to the last bits: inverse quadratic
// interpolation where it is safe, else bisection (Chandrupatla 1997, "A new hybrid quadratic/bisection algorithm").
template <class F>
double find_root(F&& f, double a, double b) {
  double fa = f(a), fb = f(b);
  if (fa == 0) return a;
  if (fb == 0) return b;
  double t = 0.5;
  for (int iteration = 0; iteration < 200; ++iteration) {
    const double x = a + t * (b - a), fx = f(x);
    double c = a, fc = fa;  // c: the end that x replaces, or the one given up
    if ((fx > 0) != (fa > 0)) {
      c = b;
      fc = fb;
      b = a;
      fb = fa;
    }
    a = x;
    fa = fx;
    const double best = std::abs(fa) < std::abs(fb) ? a : b;
    const double tolerance = 2 * std::numeric_limits<double>::epsilon() * std::abs(best) / std::abs(b - a);
    if (fx == 0 || tolerance > 0.5) return best;
    const double xi = (a - b) / (c - b), phi = (fa - fb) / (fc - fb);
    t = 0.5;
    if (phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi)
      t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb);
    t = std::clamp(t, tolerance, 1 - tolerance);
  }
  return std::abs(fa) < std::abs(fb) ? a : b;
}

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
