// Lion (Chen et al. 2023, Algorithm 2), with g = scale d:
//   w -= rate (sign(beta1 m + (1 - beta1) g) + decay w)  with sign(0) = 0,   m = beta2 m + (1 - beta2) g
// Every number with a gradient moves by the rate, gates as weights, whatever the gradient's size.

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

class Lion final : public Optimizer {
 public:
  explicit Lion(const OptimizerOptions& options) : Optimizer(options) {}

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    ops::lion(update, state, store.gradients(range), store.values(range), store.slot("momentum", range));
  }
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"momentum"};
    return names;
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_lion(const OptimizerOptions& options) { return std::make_unique<Lion>(options); }

}  // namespace rz::optim
