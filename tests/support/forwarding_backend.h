// A backend that forwards every call to the CPU's: the base of devices that tests make up. Registered under a device of
// its own, so that it has its own pool of memory. A function added to Backend with a default body works without a line
// here, but then its CPU override is not the one that runs.
#pragma once

#include "core/backend.h"

namespace rz::test {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(Device device) : device_(device) {}
  Device device() const override { return device_; }
  std::string description() const override { return device_.text() + " over " + host_.description(); }
  void* allocate(std::size_t bytes) override { return host_.allocate(bytes); }
  void release(void* data, std::size_t bytes) override { host_.release(data, bytes); }

#define RZ_FORWARD(name, parameters, arguments) \
  void name parameters override {               \
    const Call call(*this);                     \
    host_.name arguments;                       \
  }
  RZ_FORWARD(upload, (void* device_memory, const void* host_memory, std::size_t bytes),
             (device_memory, host_memory, bytes))
  RZ_FORWARD(download, (void* host_memory, const void* device_memory, std::size_t bytes),
             (host_memory, device_memory, bytes))
  RZ_FORWARD(fill, (double value, const Target& y), (value, y))
  RZ_FORWARD(convert, (const Operand& x, const Target& y), (x, y))
  RZ_FORWARD(scale, (double a, const Operand& x, const Target& y), (a, x, y))
  RZ_FORWARD(scalar, (Scalar f, int order, const Operand& x, const Target& y), (f, order, x, y))
  RZ_FORWARD(scalar_vjp, (Scalar f, const Operand& kept, const Operand& d_y, const Target& d_x), (f, kept, d_y, d_x))
  RZ_FORWARD(binary, (Binary op, const Operand& a, const Operand& b, const Target& y), (op, a, b, y))
  RZ_FORWARD(reduce, (Reduction op, const Operand& x, const Target& y, Workspace& w), (op, x, y, w))
  RZ_FORWARD(argmax_rows, (const Operand& x, const Target& y), (x, y))
  RZ_FORWARD(sum_of_squares, (const Operand& x, const Target& y, Workspace& w), (x, y, w))
  RZ_FORWARD(normalise, (const Operand& x, const Target& y, Workspace& w), (x, y, w))
  RZ_FORWARD(permute, (const Operand& x, std::span<const int> axes, const Target& y), (x, axes, y))
  RZ_FORWARD(copy_block,
             (const Operand& x, const Shape& x_origin, const Target& y, const Shape& y_origin, const Shape& extent),
             (x, x_origin, y, y_origin, extent))
  RZ_FORWARD(gather_rows, (const Operand& table, const Operand& indices, const Target& y), (table, indices, y))
  RZ_FORWARD(gather_columns, (const Operand& x, const Operand& indices, const Target& y), (x, indices, y))
  RZ_FORWARD(scatter_add_rows, (const Operand& d_y, const Operand& indices, const Target& d_table),
             (d_y, indices, d_table))
  RZ_FORWARD(unfold, (const Operand& x, const Window& window, const Target& y), (x, window, y))
  RZ_FORWARD(fold, (const Operand& d_y, const Window& window, const Target& d_x), (d_y, window, d_x))
  RZ_FORWARD(largest_in_windows, (const Operand& x, const Window& window, const Target& y), (x, window, y))
  RZ_FORWARD(gemm,
             (Transpose op_a, const Operand& a, Transpose op_b, const Operand& b, double alpha, const Target& c,
              Workspace& w),
             (op_a, a, op_b, b, alpha, c, w))
  RZ_FORWARD(softmax_cross_entropy,
             (const Operand& logits, const Operand& labels, const CrossEntropyOptions& options, const Target& losses,
              const Target& counted, const Target& d_logits),
             (logits, labels, options, losses, counted, d_logits))
  RZ_FORWARD(layer_norm,
             (const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y,
              const Target& mean, const Target& inverse_deviation),
             (x, gain, bias, eps, y, mean, inverse_deviation))
  RZ_FORWARD(layer_norm_vjp,
             (const Operand& x, const Operand& gain, const Operand& mean, const Operand& inverse_deviation,
              const Operand& d_y, const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w),
             (x, gain, mean, inverse_deviation, d_y, d_x, d_gain, d_bias, w))
  RZ_FORWARD(rms_norm, (const Operand& x, const Operand& gain, double eps, const Target& y, const Target& inverse_rms),
             (x, gain, eps, y, inverse_rms))
  RZ_FORWARD(rms_norm_vjp,
             (const Operand& x, const Operand& gain, const Operand& inverse_rms, const Operand& d_y, const Target& d_x,
              const Target& d_gain, Workspace& w),
             (x, gain, inverse_rms, d_y, d_x, d_gain, w))
  RZ_FORWARD(uniform, (const RandomKey& key, const Operand& state, const Target& y), (key, state, y))
  RZ_FORWARD(dropout_mask, (const RandomKey& key, const Operand& state, double p, const Target& mask),
             (key, state, p, mask))
  RZ_FORWARD(sgd,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& momentum),
             (options, state, gradient, value, momentum))
  RZ_FORWARD(adagrad,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& sum),
             (options, state, gradient, value, sum))
  RZ_FORWARD(rmsprop,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& mean_square, const Target& momentum),
             (options, state, gradient, value, mean_square, momentum))
  RZ_FORWARD(adam,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& mean, const Target& mean_square),
             (options, state, gradient, value, mean, mean_square))
  RZ_FORWARD(lamb,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& mean, const Target& mean_square, Workspace& w),
             (options, state, gradient, value, mean, mean_square, w))
  RZ_FORWARD(lion,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& momentum),
             (options, state, gradient, value, momentum))
  RZ_FORWARD(momentum_direction,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& momentum,
              const Target& direction),
             (options, state, gradient, momentum, direction))
  RZ_FORWARD(descend,
             (const UpdateOptions& options, const Operand& state, double factor, const Operand& direction,
              const Target& value),
             (options, state, factor, direction, value))
  RZ_FORWARD(moving_average, (double decay, const Operand& state, const Operand& value, const Target& average),
             (decay, state, value, average))
  RZ_FORWARD(clip_scale, (const Operand& sum_of_squares, double max_norm, const Target& state),
             (sum_of_squares, max_norm, state))
  RZ_FORWARD(linear,
             (const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y, Workspace& w),
             (x, weight, bias, f, y, w))
  RZ_FORWARD(residual_add,
             (const Operand& x, const Operand& f, const Operand& gates, std::int64_t index, const Target& y,
              Workspace& w),
             (x, f, gates, index, y, w))
  RZ_FORWARD(residual_add_vjp,
             (const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y, const Target& d_f,
              const Target& d_gates, Workspace& w),
             (f, gates, index, d_y, d_f, d_gates, w))
  RZ_FORWARD(attention, (const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w),
             (a, y, log_sum_exp, w))
  RZ_FORWARD(attention_vjp,
             (const Attention& a, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
              const AttentionGradients& d, Workspace& w),
             (a, y, log_sum_exp, d_y, d, w))
  RZ_FORWARD(conv2d, (const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w),
             (x, weight, window, y, w))
  RZ_FORWARD(conv2d_vjp,
             (const Operand& x, const Operand& weight, const Window& window, const Operand& d_y, const Target& d_x,
              const Target& d_weight, Workspace& w),
             (x, weight, window, d_y, d_x, d_weight, w))
  RZ_FORWARD(batch_norm,
             (const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
              const Target& y, const Target& mean, const Target& variance, Workspace& w),
             (x, gain, bias, options, y, mean, variance, w))
  RZ_FORWARD(batch_norm_vjp,
             (const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean, const Operand& variance,
              const BatchNormOptions& options, const Operand& d_y, const Target& d_x, const Target& d_gain,
              const Target& d_bias, Workspace& w),
             (x, gain, bias, mean, variance, options, d_y, d_x, d_gain, d_bias, w))
  RZ_FORWARD(residual_stack,
             (const Operand& x, const ResidualStack& stack, const Target& y, const Target& kept, Workspace& w),
             (x, stack, y, kept, w))
  RZ_FORWARD(residual_stack_vjp,
             (const ResidualStack& stack, const Operand& kept, const Operand& d_y, const ResidualStackGradients& d,
              Workspace& w),
             (stack, kept, d_y, d, w))
  RZ_FORWARD(residual_stack_jvp,
             (const Operand& x, const ResidualStack& stack, const Operand& t_x, const Target& y, const Target& t_y,
              Workspace& w),
             (x, stack, t_x, y, t_y, w))
#undef RZ_FORWARD
  bool fuses_residual_stack(std::int64_t rows, std::int64_t width, DType type) const override {
    return host_.fuses_residual_stack(rows, width, type);
  }
  Shape residual_stack_kept(std::int64_t rows, std::int64_t width, std::int64_t layers, DType type) const override {
    return host_.residual_stack_kept(rows, width, layers, type);
  }

 protected:
  virtual void enter() {}  // around every forwarded call
  virtual void leave() {}
  Backend& host_ = backend(Device::cpu());

 private:
  class Call {
   public:
    explicit Call(ForwardingBackend& backend) : backend_(backend) { backend_.enter(); }
    ~Call() { backend_.leave(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    ForwardingBackend& backend_;
  };
  Device device_;
};

}  // namespace rz::test
