// Stochastic gradient descent (Robbins, Monro 1951) with momentum (Polyak 1964; Nesterov 1983), as in PyTorch:
//   g = scale d + decay w,   m = momentum m + g,   w -= rate m, or rate (g + momentum m) with Nesterov's

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

class Sgd final : public Optimizer {
 public:
  explicit Sgd(const OptimizerOptions& options) : Optimizer(options) {}

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    const Tensor momentum = *options_.momentum == 0 ? Tensor() : store.slot("momentum", range);
    ops::sgd(update, state, store.gradients(range), store.values(range), momentum);
  }
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"momentum"};
    return std::span(names).first(*options_.momentum == 0 ? 0 : 1);
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const OptimizerOptions& options) { return std::make_unique<Sgd>(options); }

}  // namespace rz::optim
