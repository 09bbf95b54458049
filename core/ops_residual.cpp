// Residual connections: one, and a stack of fully connected layers.
#include <vector>

#include "core/error.h"
#include "core/ops.h"
#include "core/ops_call.h"

namespace rz::ops {

namespace {
void check_gate(const char* name, const Tensor& gates, std::int64_t index, const Tensor& f) {
  check_dtype(name, gates, f);
  RZ_CHECK(shape, gates.shape().rank() == 1 && index >= 0 && index < gates.shape()[0], "{}: there is no gate {} in {}",
           name, index, gates.shape());
}
}  // namespace

Tensor residual_add(const Tensor& x, const Tensor& f, const Tensor& gates, std::int64_t index) {
  check_real("residual_add", x);
  check_dtype("residual_add", x, f);
  check_shape("residual_add", "the branch", f, x.shape());
  check_gate("residual_add", gates, index, f);
  Tensor y = like(x);
  Workspace w(pool(x.device()));
  begin("residual_add", {&x, &f, &gates}, y, 2 * x.elements())
      .residual_add(x.operand(), f.operand(), gates.operand(), index, Destination{y}.target(), w);
  return y;
}

void residual_add_vjp(const Tensor& f, const Tensor& gates, std::int64_t index, const Tensor& d_y,
                      const Destination& d_f, const Destination& d_gates) {
  check_real("residual_add_vjp", f);
  check_dtype("residual_add_vjp", f, d_y);
  check_shape("residual_add_vjp", "d_y", d_y, f.shape());
  check_gate("residual_add_vjp", gates, index, f);
  check_output("residual_add_vjp", "d_f", d_f, f.shape(), f);
  check_output("residual_add_vjp", "d_gates", d_gates, gates.shape(), f);
  Workspace w(pool(f.device()));
  const Tensor& result = d_f.tensor.defined() ? d_f.tensor : d_y;
  begin("residual_add_vjp", {&f, &d_y, &gates, if_defined(d_gates.tensor)}, result, 3 * f.elements())
      .residual_add_vjp(f.operand(), gates.operand(), index, d_y.operand(), target_or_none(d_f, f.dtype()),
                        target_or_none(d_gates, f.dtype()), w);
}

// ---- a stack ----

namespace {

void check_stack(const char* name, const ResidualStackTensors& stack, const Tensor& x) {
  check_real(name, x);
  RZ_CHECK(shape, x.shape().rank() == 2, "{}: x {} must be [rows, width]", name, x.shape());
  const auto layers = static_cast<std::int64_t>(stack.weights.size());
  RZ_CHECK(shape, layers > 0 && stack.biases.size() == stack.weights.size(),
           "{}: {} weights and {} biases were given, but each layer has one of each", name, layers,
           stack.biases.size());
  const std::int64_t width = x.shape()[1];
  for (std::size_t l = 0; l < stack.weights.size(); ++l) {
    check_dtype(name, x, stack.weights[l]);
    check_dtype(name, x, stack.biases[l]);
    check_shape(name, "a weight", stack.weights[l], {width, width});
    check_shape(name, "a bias", stack.biases[l], {width});
  }
  check_gate(name, stack.gates, layers - 1, x);
}

std::vector<Operand> operands(std::span<const Tensor> tensors) {
  std::vector<Operand> all;
  all.reserve(tensors.size());
  for (const Tensor& t : tensors) all.push_back(t.operand());
  return all;
}

std::vector<Target> targets(std::span<const Destination> destinations, DType dtype) {
  std::vector<Target> all;
  all.reserve(destinations.size());
  for (const Destination& d : destinations) all.push_back(target_or_none(d, dtype));
  return all;
}

std::int64_t products(const ResidualStackTensors& stack, const Tensor& x) {  // floating-point operations of one each
  return 2 * x.elements() * x.shape()[1] * static_cast<std::int64_t>(stack.weights.size());
}

}  // namespace

bool fuses_residual_stack(const Tensor& rows) {
  return rows.shape().rank() == 2 &&
         backend(rows.device()).fuses_residual_stack(rows.shape()[0], rows.shape()[1], rows.dtype());
}

ResidualStackForward residual_stack(const ResidualStackTensors& stack, const Tensor& x) {
  check_stack("residual_stack", stack, x);
  const std::vector<Operand> weights = operands(stack.weights), biases = operands(stack.biases);
  Backend& device = backend(x.device());
  ResidualStackForward out{
      like(x), Tensor(device.residual_stack_kept(x.shape()[0], x.shape()[1], std::ssize(weights), x.dtype()), x.dtype(),
                      x.device())};
  Workspace w(pool(x.device()));
  begin("residual_stack", {&x, &stack.weights[0], &stack.biases[0], &stack.gates}, out.y, products(stack, x))
      .residual_stack(x.operand(), {weights, biases, stack.gates.operand(), stack.f}, Destination{out.y}.target(),
                      Destination{out.kept}.target(), w);
  return out;
}

void residual_stack_vjp(const ResidualStackTensors& stack, const Tensor& kept, const Tensor& d_y,
                        const ResidualStackDestinations& d) {
  check_stack("residual_stack_vjp", stack, d_y);
  check_shape("residual_stack_vjp", "kept, of a forward pass in the same precision of products,", kept,
              backend(d_y.device())
                  .residual_stack_kept(d_y.shape()[0], d_y.shape()[1], std::ssize(stack.weights), d_y.dtype()));
  check_output("residual_stack_vjp", "d_x", d.x, d_y.shape(), d_y);
  check_output("residual_stack_vjp", "d_gates", d.gates, stack.gates.shape(), d_y);
  for (std::size_t l = 0; l < stack.weights.size(); ++l) {
    check_output("residual_stack_vjp", "a gradient of a weight", d.weights[l], stack.weights[l].shape(), d_y);
    check_output("residual_stack_vjp", "a gradient of a bias", d.biases[l], stack.biases[l].shape(), d_y);
  }
  const std::vector<Operand> weights = operands(stack.weights), biases = operands(stack.biases);
  const std::vector<Target> d_weights = targets(d.weights, d_y.dtype()), d_biases = targets(d.biases, d_y.dtype());
  Workspace w(pool(d_y.device()));
  begin("residual_stack_vjp", {&d_y, &kept, &stack.weights[0], &stack.gates}, d_y, 2 * products(stack, d_y))
      .residual_stack_vjp({weights, biases, stack.gates.operand(), stack.f}, kept.operand(), d_y.operand(),
                          {target_or_none(d.x, d_y.dtype()), d_weights, d_biases, target_or_none(d.gates, d_y.dtype())},
                          w);
}

ResidualStackTangents residual_stack_jvp(const ResidualStackTensors& stack, const Tensor& x, const Tensor& t_x) {
  check_stack("residual_stack_jvp", stack, x);
  check_shape("residual_stack_jvp", "x", x, {1, x.shape()[1]});
  check_dtype("residual_stack_jvp", x, t_x);
  check_shape("residual_stack_jvp", "t_x", t_x, {t_x.shape()[0], x.shape()[1]});
  const std::vector<Operand> weights = operands(stack.weights), biases = operands(stack.biases);
  const ResidualStackTangents out{like(x), like(t_x)};
  Workspace w(pool(x.device()));
  begin("residual_stack_jvp", {&x, &t_x, &stack.weights[0], &stack.gates}, out.t_y, products(stack, t_x))
      .residual_stack_jvp(x.operand(), {weights, biases, stack.gates.operand(), stack.f}, t_x.operand(),
                          Destination{out.y}.target(), Destination{out.t_y}.target(), w);
  return out;
}

}  // namespace rz::ops
