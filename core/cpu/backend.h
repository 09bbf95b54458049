// The CPU's backend: kernels of the chosen instruction set (core/cpu/kernels) and OpenBLAS, on the thread pool. One
// file per family implements it.
#pragma once

#include "core/backend.h"
#include "core/cpu/isa.h"

namespace rz::cpu {

class CpuBackend final : public Backend {
 public:
  CpuBackend();  // sets OpenBLAS to one thread for good.   Throws: value (REZERO_ISA)
  Device device() const override { return Device::cpu(); }
  std::string description() const override;

  // memory.cpp
  void* allocate(std::size_t bytes) override;
  void release(void* data, std::size_t bytes) override;
  void upload(void* device_memory, const void* host_memory, std::size_t bytes) override;
  void download(void* host_memory, const void* device_memory, std::size_t bytes) override;

  // elementwise.cpp
  void fill(double value, const Target& y) override;
  void convert(const Operand& x, const Target& y) override;
  void scale(double a, const Operand& x, const Target& y) override;
  void scalar(Scalar f, int order, const Operand& x, const Target& y) override;
  void scalar_vjp(Scalar f, const Operand& kept, const Operand& d_y, const Target& d_x) override;
  void binary(Binary op, const Operand& a, const Operand& b, const Target& y) override;

  // reduce.cpp
  void reduce(Reduction op, const Operand& x, const Target& y, Workspace& w) override;
  void argmax_rows(const Operand& x, const Target& y) override;
  void sum_of_squares(const Operand& x, const Target& y, Workspace& w) override;
  void normalise(const Operand& x, const Target& y, Workspace& w) override;

  // move.cpp
  void permute(const Operand& x, std::span<const int> axes, const Target& y) override;
  void copy_block(const Operand& x, const Shape& x_origin, const Target& y, const Shape& y_origin,
                  const Shape& extent) override;
  void gather_rows(const Operand& table, const Operand& indices, const Target& y) override;
  void gather_columns(const Operand& x, const Operand& indices, const Target& y) override;
  void scatter_add_rows(const Operand& d_y, const Operand& indices, const Target& d_table) override;

  // windows.cpp
  void unfold(const Operand& x, const Window& window, const Target& y) override;
  void fold(const Operand& d_y, const Window& window, const Target& d_x) override;
  void largest_in_windows(const Operand& x, const Window& window, const Target& y) override;

  // gemm.cpp
  std::string missing_for(ProductPrecision precision) const override;
  void gemm(Transpose op_a, const Operand& a, Transpose op_b, const Operand& b, double alpha, const Target& c,
            Workspace& w) override;

  // rows.cpp
  void softmax_cross_entropy(const Operand& logits, const Operand& labels, const CrossEntropyOptions& options,
                             const Target& losses, const Target& counted, const Target& d_logits) override;
  void layer_norm(const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y,
                  const Target& mean, const Target& inverse_deviation) override;
  void layer_norm_vjp(const Operand& x, const Operand& gain, const Operand& mean, const Operand& inverse_deviation,
                      const Operand& d_y, const Target& d_x, const Target& d_gain, const Target& d_bias,
                      Workspace& w) override;
  void rms_norm(const Operand& x, const Operand& gain, double eps, const Target& y, const Target& inverse_rms) override;
  void rms_norm_vjp(const Operand& x, const Operand& gain, const Operand& inverse_rms, const Operand& d_y,
                    const Target& d_x, const Target& d_gain, Workspace& w) override;

  // random.cpp
  void uniform(const RandomKey& key, const Operand& state, const Target& y) override;
  void dropout_mask(const RandomKey& key, const Operand& state, double p, const Target& mask) override;

  // optimizer.cpp
  void sgd(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
           const Target& momentum) override;
  void adagrad(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
               const Target& sum) override;
  void rmsprop(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
               const Target& mean_square, const Target& momentum) override;
  void adam(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
            const Target& mean, const Target& mean_square) override;
  void lamb(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
            const Target& mean, const Target& mean_square, Workspace& w) override;
  void lion(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
            const Target& momentum) override;
  void momentum_direction(const UpdateOptions& options, const Operand& state, const Operand& gradient,
                          const Target& momentum, const Target& direction) override;
  void descend(const UpdateOptions& options, const Operand& state, double factor, const Operand& direction,
               const Target& value) override;
  void moving_average(double decay, const Operand& state, const Operand& value, const Target& average) override;
  void clip_scale(const Operand& sum_of_squares, double max_norm, const Target& state) override;

  // linear.cpp, residual.cpp
  void linear(const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y,
              Workspace& w) override;
  void residual_add(const Operand& x, const Operand& f, const Operand& gates, std::int64_t index, const Target& y,
                    Workspace& w) override;
  void residual_add_vjp(const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y,
                        const Target& d_f, const Target& d_gates, Workspace& w) override;

  // attention.cpp
  void attention(const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w) override;
  void attention_vjp(const Attention& a, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                     const AttentionGradients& d, Workspace& w) override;

  // convolution.cpp, batch_norm.cpp
  void conv2d(const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w) override;
  void conv2d_vjp(const Operand& x, const Operand& weight, const Window& window, const Operand& d_y, const Target& d_x,
                  const Target& d_weight, Workspace& w) override;
  void batch_norm(const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
                  const Target& y, const Target& mean, const Target& variance, Workspace& w) override;
  void batch_norm_vjp(const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean,
                      const Operand& variance, const BatchNormOptions& options, const Operand& d_y, const Target& d_x,
                      const Target& d_gain, const Target& d_bias, Workspace& w) override;

  // stack.cpp
  bool fuses_residual_stack(std::int64_t rows, std::int64_t width, DType type) const override;
  Shape residual_stack_kept(std::int64_t rows, std::int64_t width, std::int64_t layers, DType type) const override;
  void residual_stack(const Operand& x, const ResidualStack& stack, const Target& y, const Target& kept,
                      Workspace& w) override;
  void residual_stack_vjp(const ResidualStack& stack, const Operand& kept, const Operand& d_y,
                          const ResidualStackGradients& d, Workspace& w) override;
  void residual_stack_jvp(const Operand& x, const ResidualStack& stack, const Operand& t_x, const Target& y,
                          const Target& t_y, Workspace& w) override;

 private:
  struct Slopes {         // of a stack at one input
    std::int64_t* rows;   // [layers, width]: of each layer the `count` units whose slope is not 0
    std::int64_t* count;  // [layers]
    void* values;         // [layers, width]: their g f'(z)
  };
  Slopes slopes_of(const Operand& x, const ResidualStack& stack, const Target& y, Workspace& w);
  void norm(const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y, const Target& mean,
            const Target& inverse_deviation) const;
  void norm_vjp(const Operand& x, const Operand& gain, const Operand& mean, const Operand& inverse_deviation,
                const Operand& d_y, const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w) const;
  double squares(const Operand& x, Workspace& w) const;  // their sum
  const Kernels& kernels_;
};

}  // namespace rz::cpu
