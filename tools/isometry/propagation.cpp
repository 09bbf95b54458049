#include "tools/isometry/propagation.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "autograd/transforms.h"
#include "core/error.h"
#include "core/ops.h"
#include "nn/attention.h"
#include "nn/residual.h"
#include "tools/isometry/part.h"
#include "tools/isometry/trace.h"

namespace rz::isometry {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
using Signals = std::vector<std::vector<LayerSignal>>;

// Rows of a matrix [rows, units] on the host.
class Rows {
 public:
  Rows(const Tensor& x, std::int64_t units) : values_(x.to_vector()), units_(static_cast<std::size_t>(units)) {}
  std::span<const double> operator[](std::size_t i) const { return std::span(values_).subspan(i * units_, units_); }
  std::size_t size() const { return values_.size() / units_; }

 private:
  std::vector<double> values_;
  std::size_t units_;
};

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void measure_state(const Tensor& x, std::size_t layer, Signals& signals) {
  const Rows rows(x, x.shape().elements() / x.shape()[0]);
  std::vector<LayerSignal>& signal = signals[layer];
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double square = dot(rows[i], rows[i]);
    signal[i].q = square / static_cast<double>(rows[i].size());
    RZ_CHECK(value, std::isfinite(square), "propagate: hidden state {} of input {} is not finite", layer, i);
    double cosines = 0;
    for (std::size_t j = 0; j < rows.size(); ++j)
      if (j != i) cosines += dot(rows[i], rows[j]) / std::sqrt(square * dot(rows[j], rows[j]));
    signal[i].c = rows.size() > 1 ? cosines / static_cast<double>(rows.size() - 1) : nan;
  }
}

// Of rows of one length: the mean over pairs, from the length of the sum of directions.
double mean_cosine(std::span<const double> rows, std::size_t count) {
  const std::size_t units = rows.size() / count;
  std::vector<double> sum(units, 0);
  for (std::size_t r = 0; r < count; ++r) {
    const std::span row = rows.subspan(r * units, units);
    const double length = std::sqrt(dot(row, row));
    for (std::size_t k = 0; k < units; ++k) sum[k] += row[k] / length;
  }
  const auto n = static_cast<double>(count);
  return count > 1 ? (dot(sum, sum) - n) / (n * (n - 1)) : nan;
}

void measure_tokens(const Tensor& x, std::vector<LayerSignal>& signal) {
  const bool tokens = x.shape().rank() == 3;
  const Rows inputs(x, x.shape().elements() / x.shape()[0]);
  for (std::size_t i = 0; i < signal.size(); ++i)
    signal[i].token_cosine = tokens ? mean_cosine(inputs[i], static_cast<std::size_t>(x.shape()[1])) : nan;
}

// Means over heads and queries, of each input.
std::vector<double> entropies(const Tensor& weights) {
  const Rows rows(weights, weights.shape().elements() / weights.shape()[0]);
  const auto queries = static_cast<double>(weights.shape()[1] * weights.shape()[2]);
  std::vector<double> means;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double sum = 0;
    for (const double p : rows[i]) sum -= p > 0 ? p * std::log(p) : 0;
    means.push_back(sum / queries);
  }
  return means;
}

// tangents [probes, inputs, units]
void measure_tangents(const Tensor& tangents, std::int64_t units_of_first, std::vector<LayerSignal>& signal) {
  const Rows rows(tangents, tangents.shape().elements() / (tangents.shape()[0] * tangents.shape()[1]));
  const double probes = static_cast<double>(tangents.shape()[0]);
  for (LayerSignal& s : signal) s.apjn = 0;
  for (std::size_t r = 0; r < rows.size(); ++r)
    signal[r % signal.size()].apjn += dot(rows[r], rows[r]) / (probes * static_cast<double>(units_of_first));
}

void measure_gradient(const Tensor& gradient, std::vector<LayerSignal>& signal) {
  const Rows rows(gradient, gradient.shape().elements() / gradient.shape()[0]);
  for (std::size_t i = 0; i < rows.size(); ++i) signal[i].gradient_norm = std::sqrt(dot(rows[i], rows[i]));
}

// A direction of length 1 for each row.
Tensor directions(std::int64_t rows, std::int64_t units, Random& random) {
  Tensor u({rows, units}, DType::f64);
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::span row(u.data<double>() + i * units, static_cast<std::size_t>(units));
    for (double& v : row) v = random.normal();
    const double length = std::sqrt(dot(row, row));
    for (double& v : row) v /= length;
  }
  return u;
}

// Forward: values, branch ratios and tangents from the first hidden state on. Returns all hidden states.
std::vector<Tensor> measure_forward(const nn::Stages& chain, const Tensor& first, Tensor tangents, Signals& signals) {
  const std::int64_t units = first.elements() / first.shape()[0];
  double ratio = nan;
  std::vector<double> entropy(signals[0].size(), nan);
  const nn::AttentionProbe attention(
      [&](const nn::SelfAttentionValues& values) { entropy = entropies(nn::attention_weights(values)); });
  const nn::ResidualProbe probe([&](const nn::ConnectionValues& c) {
    ratio = std::sqrt(ops::sum_of_squares(c.branch).item() / ops::sum_of_squares(c.x).item());
  });
  std::vector<Tensor> states{first};
  for (std::size_t l = 0;; ++l) {
    measure_state(states[l], l, signals);
    measure_tokens(states[l], signals[l]);
    measure_tangents(tangents, units, signals[l]);
    for (std::size_t i = 0; i < entropy.size(); ++i) {
      signals[l][i].branch_ratio = ratio;
      signals[l][i].attention_entropy = entropy[i];
    }
    if (l == chain.stages.size()) return states;
    ratio = nan;
    ValueAndTangent next = jvp(chain.stages[l], states[l], tangents);
    states.push_back(std::move(next.value));
    tangents = std::move(next.tangent);
  }
}

}  // namespace

void check_signal(const nn::Model& model) {
  require_chain(model, "its signals are not those of one hidden state after the other");
}

Signals measure_signal(const nn::Model& model, const Tensor& inputs, Random& random, std::int64_t probes) {
  check_signal(model);
  const nn::Stages chain = model.stages();
  Signals signals(chain.stages.size() + 1, std::vector<LayerSignal>(static_cast<std::size_t>(inputs.shape()[0])));
  const Tensor first = input_of(stack_part(model), inputs);
  const auto as_first = [&](const Tensor& t) { return t.to(first.dtype()).to(first.device()); };
  // Of signs: their lengths are those of every multiple of an isometry, exactly.
  const std::vector<Tensor> states =
      measure_forward(chain, first, as_first(signs(first.shape().prepended(probes), random)), signals);
  const Shape& last = states.back().shape();
  Tensor u = as_first(directions(last[0], last.elements() / last[0], random).reshape(last));
  for (std::size_t l = chain.stages.size();; --l) {
    measure_gradient(u, signals[l]);
    if (l == 0) return signals;
    u = vjp(chain.stages[l - 1], states[l - 1], u);
  }
}

std::vector<LayerStatistics> signal_statistics(const std::vector<Signals>& signals) {
  RZ_CHECK(value, !signals.empty(), "propagate: there is no draw");
  const auto over = [&](std::size_t layer, double LayerSignal::* member) {
    std::vector<double> draws, inputs;
    for (const Signals& draw : signals) {
      inputs.clear();
      for (const LayerSignal& s : draw[layer]) inputs.push_back(s.*member);
      draws.push_back(mean_of(inputs).value);
    }
    return mean_of(draws.size() > 1 ? draws : inputs);
  };
  // Of the gradient the mean square is what theory gives: its root, with the error carried over.
  const auto root_of_square = [&](std::size_t layer) {
    std::vector<double> draws, inputs;
    for (const Signals& draw : signals) {
      inputs.clear();
      for (const LayerSignal& s : draw[layer]) inputs.push_back(s.gradient_norm * s.gradient_norm);
      draws.push_back(mean_of(inputs).value);
    }
    const Estimate square = mean_of(draws.size() > 1 ? draws : inputs);
    const double root = std::sqrt(square.value);
    return Estimate{root, root > 0 ? square.standard_error / (2 * root) : square.standard_error};
  };
  std::vector<LayerStatistics> layers;
  for (std::size_t l = 0; l < signals[0].size(); ++l)
    layers.push_back({over(l, &LayerSignal::q), over(l, &LayerSignal::c), root_of_square(l),
                      over(l, &LayerSignal::apjn), over(l, &LayerSignal::token_cosine),
                      over(l, &LayerSignal::attention_entropy), over(l, &LayerSignal::branch_ratio)});
  return layers;
}

}  // namespace rz::isometry
