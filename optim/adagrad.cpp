// Adagrad (Duchi, Hazan, Singer 2011), the optimiser of the ReZero notebook:
//   g = scale d + decay w,   s += g^2,   w -= rate g / (sqrt(s) + eps); where the divisor is 0 (no gradient yet and
//   eps = 0) w stays

#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(const OptimizerOptions& options) : Optimizer(options) {}

 private:
  void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
              const Tensor& state) const override {
    ops::adagrad(update, state, store.gradients(range), store.values(range), store.slot("sum_of_squares", range));
  }
  std::span<const std::string_view> slots() const override {
    static constexpr std::string_view names[] = {"sum_of_squares"};
    return names;
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_adagrad(const OptimizerOptions& options) { return std::make_unique<Adagrad>(options); }

}  // namespace rz::optim
