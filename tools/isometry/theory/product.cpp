#include "tools/isometry/theory/product.h"

#include <algorithm>
#include <cmath>

#include "tools/isometry/theory/numbers.h"
#include "tools/isometry/theory/root.h"

namespace rz::isometry {
namespace {

constexpr double rounding = 1e-12;  // of sums of masses

}  // namespace

Product::Product(std::vector<Part> parts) : parts_(std::move(parts)) {
  for (const Part& part : parts_) states_ += part.factor->states();
}

Product::Master Product::master(Complex z, std::span<const Complex> state) const {
  Master result{{std::log(1.0 + z) - std::log(z), -1.0 / (z * (1.0 + z))}, std::vector<Linear>(states_)};
  std::size_t at = 0;
  for (const Part& part : parts_) {
    const std::size_t n = part.factor->states();
    const Linear log_s = part.factor->newton(z, state.subspan(at, n), std::span(result.change).subspan(at, n));
    result.log_lambda.value -= part.count * log_s.value;
    result.log_lambda.slope -= part.count * log_s.slope;
    at += n;
  }
  return result;
}

std::optional<Linear> Product::on_real_axis(double z) const {
  std::vector<Complex> state(states_);
  std::size_t at = 0;
  for (const Part& part : parts_) {
    const std::size_t n = part.factor->states();
    if (!part.factor->real_state(z, std::span(state).subspan(at, n))) return std::nullopt;
    at += n;
  }
  return master(z, state).log_lambda;
}

std::vector<LogAtom> Product::atoms() const {
  // A product has an atom where one point of each factor misses less than 1 of the mass (Belinschi 2003); two points of
  // equal factors together miss at least 1.
  std::vector<LogAtom> all{{0, 1}};
  for (const Part& part : parts_) {
    std::vector<LogAtom> next;
    for (const LogAtom& before : all) {
      for (const LogAtom& atom : part.factor->atoms) {
        const double mass = before.mass - part.count * (1 - atom.mass);
        if (mass > rounding) next.push_back({before.log_lambda + part.count * atom.log_lambda, mass});
      }
    }
    all = std::move(next);
  }
  std::ranges::sort(all, {}, &LogAtom::log_lambda);
  return all;
}

double Product::lowest_rank() const {
  double rank = 1;
  for (const Part& part : parts_) rank = std::min(rank, part.factor->rank);
  return rank;
}

bool Product::gapped() const {
  const double rank = lowest_rank();
  if (rank > 1 - rounding) return std::ranges::all_of(parts_, [](const Part& p) { return p.factor->gapped; });
  double lowest = 0;  // two layers of the same rank rotate their kernels against each other by all angles
  bool gapped = false;
  for (const Part& part : parts_) {
    if (part.factor->rank > rank + rounding) continue;
    lowest += part.count;
    gapped = part.factor->gapped;
  }
  return lowest == 1 && gapped;
}

// Above the support (side 1) z falls from infinity or from a critical point of log lambda(z) to 0 as lambda grows,
// below its positive part (side -1) from -rank to such a point or to -infinity. An atom or a hard edge lies at
// infinity.
double Product::log_edge(double side) const {
  double missing = 0, log_end = 0;
  bool atom = true;
  for (const Part& part : parts_) {
    const LogAtom& end = side > 0 ? part.factor->top : part.factor->bottom;
    atom = atom && end.mass > 0;
    missing += part.count * (1 - end.mass);
    log_end += part.count * end.log_lambda;
  }
  if (atom && missing <= 1 + rounding) return log_end;
  const double origin = side > 0 ? 0 : -lowest_rank();
  const auto outside = [&](double log_distance) {
    const std::optional<Linear> at = on_real_axis(origin + side * std::exp(log_distance));
    return at && at->slope.real() < 0;
  };
  double low = -20, high = low;
  while (high < 21 && outside(high)) {
    low = high;
    high += 0.5;
  }
  const double distance = high < 21 ? bisect(outside, low, high) : high;
  double edge = -infinity;
  for (const double d : {distance, low}) {  // the middle of a bisection may lie beyond
    const std::optional<Linear> at = on_real_axis(origin + side * std::exp(d));
    if (!at) continue;
    edge = at->value.real();
    break;
  }
  return edge;
}

std::optional<std::pair<const SlopeLaw*, double>> Product::single() const {
  const SlopeLaw* law = nullptr;
  double log_scale = 0;
  for (const Part& part : parts_) {
    const auto& atoms = part.factor->atoms;
    if (std::ranges::any_of(atoms, [](const LogAtom& atom) { return atom.mass > 1 - rounding; })) {
      log_scale += part.count * atoms.front().log_lambda;
    } else if (law == nullptr && part.count == 1 && part.factor->law() != nullptr) {
      law = part.factor->law();
    } else {
      return std::nullopt;
    }
  }
  if (law == nullptr) return std::nullopt;
  return std::pair{law, log_scale};
}

double Product::log_top() const {
  if (const auto one = single()) return std::log(one->first->supremum()) + one->second;
  return log_edge(1);
}

double Product::log_bottom() const {
  if (const auto one = single(); one && one->first->discrete())
    return std::log(one->first->smallest_positive()) + one->second;
  return gapped() ? log_edge(-1) : -infinity;
}

TheorySpectrum Product::summary() const {
  TheorySpectrum s;
  double log_mean = 0, mean_log = 0;
  Series exponent = log_one_plus();
  for (const Part& part : parts_) {
    log_mean += part.count * part.factor->log_mean;
    mean_log += part.count * part.factor->mean_log;
    s.variance_over_mean2 += part.count * part.factor->relative_variance;
    for (std::size_t k = 0; k < exponent.size(); ++k) exponent[k] -= part.count * part.factor->log_s[k];
  }
  s.mean = std::exp(log_mean);
  s.mean_log_sigma = mean_log / 2;
  for (std::size_t k = 1; k <= s.moments.size(); ++k) {  // Lagrange: k m_k is the coefficient of z^(k-1) in ((1+z)/S)^k
    Series power = exponent;
    for (long double& c : power) c *= static_cast<long double>(k);
    const long double coefficient = exp(power)[k - 1] / static_cast<long double>(k);
    s.moments[k - 1] = static_cast<double>(coefficient) * std::exp(static_cast<double>(k) * log_mean);
  }
  if (lowest_rank() < 1 - rounding) s.atoms.push_back({0, 1 - lowest_rank()});
  const std::vector<LogAtom> positive = atoms();
  for (const LogAtom& atom : positive) s.atoms.push_back({std::exp(atom.log_lambda), atom.mass});
  if (positive.size() == 1 && positive[0].mass > 1 - rounding) {
    s.s_min = s.s_max = std::exp(positive[0].log_lambda / 2);
    return s;
  }
  s.s_max = std::exp(log_top() / 2);
  s.s_min = std::exp(log_bottom() / 2);
  return s;
}

}  // namespace rz::isometry
