// RMSprop (Tieleman, Hinton 2012), as in PyTorch:
//   g = scale d + decay w,   s = alpha s + (1 - alpha) g^2,   u = g / (sqrt(s) + eps),   m = momentum m + u,
//   w -= rate m, or rate u without momentum. The first step is rate / sqrt(1 - alpha): 10 rates for alpha = 0.99.

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

class RmsProp final : public Optimizer {
 public:
  explicit RmsProp(const OptimizerOptions& options) : Optimizer(options) {}

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    const Tensor momentum = *options_.momentum == 0 ? Tensor() : store.slot("momentum", range);
    ops::rmsprop(update, state, store.gradients(range), store.values(range), store.slot("mean_square", range),
                 momentum);
  }
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"mean_square", "momentum"};
    return std::span(names).first(*options_.momentum == 0 ? 1 : 2);
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_rmsprop(const OptimizerOptions& options) { return std::make_unique<RmsProp>(options); }

}  // namespace rz::optim
