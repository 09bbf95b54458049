// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"), for matrices of the role
// weight:
//   m = momentum m + g,   d = g + momentum m (Nesterov) or m,   w -= rate (sqrt(max(1, rows / columns)) O(d) + decay w)
// O(d) is d with its singular values brought near 1: X = d / ||d||_F, then five times X = a X + (b A + c A^2) X with
// A = X X^T; a gradient of 0 gives 0. The scale is Jordan's; PyTorch's "match_rms_adamw" is
// 0.2 sqrt(max(rows, columns)), for rates as AdamW's. All else moves by AdamW at fallback_learning_rate, on the same
// schedule.

#include <algorithm>
#include <cmath>

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

constexpr double a = 3.4445, b = -4.7750, c = 2.0315;  // Newton and Schulz's quintic
constexpr int iterations = 5;

// The smaller of X X^T and X^T X is multiplied, on its side of X: both give the same.
Tensor orthogonalised(const Tensor& direction) {
  const bool tall = direction.shape()[0] > direction.shape()[1];
  Tensor x = ops::normalise(direction);
  for (int k = 0; k < iterations; ++k) {
    const Tensor square = tall ? ops::gemm(Transpose::yes, x, Transpose::no, x)   // X^T X
                               : ops::gemm(Transpose::no, x, Transpose::yes, x);  // X X^T
    const Tensor polynomial = ops::scale(b, square), next = ops::scale(a, x);
    ops::gemm(Transpose::no, square, Transpose::no, square, {polynomial, true}, c);
    ops::gemm(Transpose::no, tall ? x : polynomial, Transpose::no, tall ? polynomial : x, {next, true});
    x = next;
  }
  return x;
}

class Muon final : public Optimizer {
 public:
  explicit Muon(const OptimizerOptions& options)
      : Optimizer(options),
        fallback_(*options.learning_rate > 0 ? *options.fallback_learning_rate / *options.learning_rate : 0) {}

  double rate_factor(Role role) const override {
    return Optimizer::rate_factor(role) * (role == Role::weight ? 1 : fallback_);
  }

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    UpdateOptions adamw = update;
    adamw.decoupled = true;
    if (range.role != Role::weight) {
      ops::adam(adamw, state, store.gradients(range), store.values(range), store.slot("momentum", range),
                store.slot("mean_square", range));
      return;
    }
    adamw.rate_factor *= fallback_;
    for (int i = 0; i < store.size(); ++i) {
      const Parameter p = store[i];
      if (!store.holds(range, p) || p.shape().elements() == 0) continue;
      if (p.shape().rank() == 2) {
        move_matrix(store, p, update, state);
      } else {
        ops::adam(adamw, state, p.gradient(), p.value(), store.slot("momentum", p), store.slot("mean_square", p));
      }
    }
  }

  static void move_matrix(ParameterStore& store, const Parameter& p, const UpdateOptions& update, const Tensor& state) {
    const double rows = static_cast<double>(p.shape()[0]), columns = static_cast<double>(p.shape()[1]);
    const Tensor direction = ops::momentum_direction(update, state, p.gradient(), store.slot("momentum", p));
    ops::descend(update, state, std::sqrt(std::max(1.0, rows / columns)), orthogonalised(direction), p.value());
  }

  // The mean of AdamW's parameters lies in "momentum" too; "mean_square" stays 0 where Muon moves.
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"momentum", "mean_square"};
    return names;
  }

  double fallback_;  // AdamW's rate by Muon's
};

}  // namespace

std::unique_ptr<Optimizer> make_muon(const OptimizerOptions& options) { return std::make_unique<Muon>(options); }

}  // namespace rz::optim
