// LAMB (You et al. 2020, Algorithm 2), per tensor, with phi the identity:
//   m, v, m', v' as Adam's,   u = m' / (sqrt(v') + eps) + decay w,   w -= rate (||w|| / ||u||) u,  ratio 1 if a norm is
//   0
// Published with and without the bias correction of m and v, and with ||w|| clamped (to 10 in well-known copies) or
// not: optimizer.bias_correction chooses, nothing is clamped. A gate under a trust ratio moves by rate |a| a step, so
// that near 0 it hardly moves: by default the ratio is 1 for all but weights and embeddings
// (optimizer.ROLE.trust_ratio).

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

class Lamb final : public Optimizer {
 public:
  explicit Lamb(const OptimizerOptions& options) : Optimizer(options) {}

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    if (!*options_.role(range.role).trust_ratio) {  // one pass: w -= rate u is AdamW's step
      UpdateOptions own = update;
      own.decoupled = true;
      ops::adam(own, state, store.gradients(range), store.values(range), store.slot("mean", range),
                store.slot("mean_square", range));
      return;
    }
    for (int i = 0; i < store.size(); ++i) {
      const Parameter p = store[i];
      if (!store.holds(range, p) || p.shape().elements() == 0) continue;
      ops::lamb(update, state, p.gradient(), p.value(), store.slot("mean", p), store.slot("mean_square", p));
    }
  }
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"mean", "mean_square"};
    return names;
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_lamb(const OptimizerOptions& options) { return std::make_unique<Lamb>(options); }

}  // namespace rz::optim
