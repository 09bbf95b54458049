// Optimisers: one pass over flat memory each.
#include "core/error.h"
#include "core/ops_call.h"

namespace rz::ops {

namespace {
void check_update(const char* name, const Tensor& state, const Tensor& gradient, const Tensor& value) {
  check_state(name, state);
  check_real(name, value);
  check_dtype(name, gradient, value);
  check_shape(name, "the gradient", gradient, value.shape());
}
// A slot of the optimiser, beside the values.
void check_slot(const char* name, const char* what, const Tensor& slot, const Tensor& value) {
  check_shape(name, what, slot, value.shape());
  check_dtype(name, value, slot);
}
Target target(const Tensor& t) { return Destination{t}.target(); }
}  // namespace

void sgd(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
         const Tensor& momentum) {
  check_update("sgd", state, gradient, value);
  check_output("sgd", "the momentum", {momentum}, value.shape(), value);
  begin("sgd", {&state, &gradient, if_defined(momentum)}, value, 4 * value.elements())
      .sgd(options, state.operand(), gradient.operand(), target(value), target_or_none({momentum}, value.dtype()));
}

void adagrad(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
             const Tensor& sum) {
  check_update("adagrad", state, gradient, value);
  check_slot("adagrad", "the sum of squares", sum, value);
  begin("adagrad", {&state, &gradient, &sum}, value, 6 * value.elements())
      .adagrad(options, state.operand(), gradient.operand(), target(value), target(sum));
}

void rmsprop(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
             const Tensor& mean_square, const Tensor& momentum) {
  check_update("rmsprop", state, gradient, value);
  check_slot("rmsprop", "the mean square", mean_square, value);
  check_output("rmsprop", "the momentum", {momentum}, value.shape(), value);
  begin("rmsprop", {&state, &gradient, &mean_square, if_defined(momentum)}, value, 10 * value.elements())
      .rmsprop(options, state.operand(), gradient.operand(), target(value), target(mean_square),
               target_or_none({momentum}, value.dtype()));
}

void adam(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
          const Tensor& mean, const Tensor& mean_square) {
  check_update("adam", state, gradient, value);
  check_slot("adam", "the mean", mean, value);
  check_slot("adam", "the mean square", mean_square, value);
  begin("adam", {&state, &gradient, &mean, &mean_square}, value, 15 * value.elements())
      .adam(options, state.operand(), gradient.operand(), target(value), target(mean), target(mean_square));
}

void lamb(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
          const Tensor& mean, const Tensor& mean_square) {
  check_update("lamb", state, gradient, value);
  check_slot("lamb", "the mean", mean, value);
  check_slot("lamb", "the mean square", mean_square, value);
  Workspace w(pool(value.device()));
  begin("lamb", {&state, &gradient, &mean, &mean_square}, value, 21 * value.elements())
      .lamb(options, state.operand(), gradient.operand(), target(value), target(mean), target(mean_square), w);
}

void lion(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
          const Tensor& momentum) {
  check_update("lion", state, gradient, value);
  check_slot("lion", "the momentum", momentum, value);
  begin("lion", {&state, &gradient, &momentum}, value, 11 * value.elements())
      .lion(options, state.operand(), gradient.operand(), target(value), target(momentum));
}

Tensor momentum_direction(const UpdateOptions& options, const Tensor& state, const Tensor& gradient,
                          const Tensor& momentum) {
  check_update("momentum_direction", state, gradient, momentum);
  const Tensor direction = like(gradient);
  begin("momentum_direction", {&state, &gradient, &momentum}, direction, 5 * gradient.elements())
      .momentum_direction(options, state.operand(), gradient.operand(), target(momentum), target(direction));
  return direction;
}

void descend(const UpdateOptions& options, const Tensor& state, double factor, const Tensor& direction,
             const Tensor& value) {
  check_state("descend", state);
  check_real("descend", value);
  check_slot("descend", "the direction", direction, value);
  begin("descend", {&state, &direction}, value, 5 * value.elements())
      .descend(options, state.operand(), factor, direction.operand(), target(value));
}

void moving_average(double decay, const Tensor& state, const Tensor& value, const Tensor& average) {
  RZ_CHECK(value, decay >= 0 && decay < 1, "moving_average: a decay of {} was given, but it must lie in [0, 1)", decay);
  check_state("moving_average", state);
  check_real("moving_average", value);
  check_slot("moving_average", "the average", average, value);
  begin("moving_average", {&state, &value}, average, 3 * value.elements())
      .moving_average(decay, state.operand(), value.operand(), target(average));
}

void clip_scale(const Tensor& sum_of_squares, double max_norm, const Tensor& state) {
  check_state("clip_scale", state);
  RZ_CHECK(dtype, sum_of_squares.dtype() == DType::f64, "clip_scale: the sum of squares is {}, but must be f64",
           sum_of_squares.dtype());
  check_shape("clip_scale", "the sum of squares", sum_of_squares, {1});
  begin("clip_scale", {&sum_of_squares}, state, 0).clip_scale(sum_of_squares.operand(), max_norm, target(state));
}

}  // namespace rz::ops
