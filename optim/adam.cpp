// Adam (Kingma, Ba 2015, Algorithm 1) and AdamW (Loshchilov, Hutter 2019, Algorithm 2), as in PyTorch, in step t:
//   g = scale d,  for adam + decay w,   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2,
//   w -= rate m' / (sqrt(v') + eps)  with  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t);  for adamw also rate decay
//   w
// A step that is left out for a gradient that is not finite counts in t.

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

class Adam final : public Optimizer {
 public:
  explicit Adam(const OptimizerOptions& options) : Optimizer(options) {}

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    UpdateOptions own = update;
    own.decoupled = options_.name == "adamw";
    ops::adam(own, state, store.gradients(range), store.values(range), store.slot("mean", range),
              store.slot("mean_square", range));
  }
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"mean", "mean_square"};
    return names;
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const OptimizerOptions& options) { return std::make_unique<Adam>(options); }

}  // namespace rz::optim
