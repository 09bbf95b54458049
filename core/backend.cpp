#include "core/backend.h"

#include <atomic>
#include <mutex>
#include <vector>

#include "core/error.h"

namespace rz {

// ---- default bodies ----

namespace {

// Scratch in the shape and type of x.
Target scratch_like(const Shape& shape, DType type, Workspace& w) {
  return {w.bytes(static_cast<std::size_t>(shape.elements()) * size_of(type)), shape, type, false};
}
Operand read(const Target& t) { return {t.data, t.shape, t.dtype}; }

const void* element(const void* data, std::int64_t index, DType type) {
  return static_cast<const char*>(data) + index * static_cast<std::int64_t>(size_of(type));
}
void* element(void* data, std::int64_t index, DType type) {
  return static_cast<char*>(data) + index * static_cast<std::int64_t>(size_of(type));
}

Shape ones(int rank) {
  Shape shape;
  for (int k = 0; k < rank; ++k) shape = shape.prepended(1);
  return shape;
}

}  // namespace

void Backend::linear(const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y,
                     Workspace& w) {
  const Shape shape{x.shape.rows(), weight.shape[0]};
  const Target z = y.accumulate ? scratch_like(shape, y.dtype, w) : Target{y.data, shape, y.dtype, false};
  gemm(Transpose::no, {x.data, {x.shape.rows(), weight.shape[1]}, x.dtype}, Transpose::yes, weight, 1, z, w);
  if (bias.data) binary(Binary::add, read(z), bias, z);
  if (y.accumulate || f.function != ScalarFunction::identity) scalar(f, 0, read(z), y);
}

void Backend::residual_add(const Operand& x, const Operand& f, const Operand& gates, std::int64_t index,
                           const Target& y, Workspace& w) {
  const Operand gate{element(gates.data, index, gates.dtype), {1}, gates.dtype};
  const Target branch = scratch_like(f.shape, f.dtype, w);
  binary(Binary::multiply, f, gate, branch);
  binary(Binary::add, x, read(branch), y);
}

void Backend::residual_add_vjp(const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y,
                               const Target& d_f, const Target& d_gates, Workspace& w) {
  if (d_gates.data) {
    const Target product = scratch_like(f.shape, f.dtype, w);
    binary(Binary::multiply, d_y, f, product);
    const Target d_gate{element(d_gates.data, index, d_gates.dtype), ones(f.shape.rank()), d_gates.dtype,
                        d_gates.accumulate};
    reduce(Reduction::sum, read(product), d_gate, w);
  }
  const Operand gate{element(gates.data, index, gates.dtype), {1}, gates.dtype};
  if (d_f.data) binary(Binary::multiply, d_y, gate, d_f);
}

std::string Backend::missing_for(ProductPrecision precision) const {
  if (precision == ProductPrecision::plain || precision == ProductPrecision::f32) return "";
  return "the device has no such products (f32 works)";
}

bool Backend::fuses_residual_stack(std::int64_t, std::int64_t, DType) const { return false; }

// x_l and z_l = x_l W_l^T + b_l of every layer.
Shape Backend::residual_stack_kept(std::int64_t rows, std::int64_t width, std::int64_t layers, DType) const {
  return {layers, 2, rows, width};
}

namespace {

struct KeptLayer {
  Target x, z;
};
KeptLayer kept_layer(void* kept, std::int64_t layer, const Shape& shape, DType type) {
  const std::int64_t n = shape.elements();
  return {{element(kept, 2 * layer * n, type), shape, type, false},
          {element(kept, (2 * layer + 1) * n, type), shape, type, false}};
}

}  // namespace

void Backend::residual_stack(const Operand& x, const ResidualStack& stack, const Target& y, const Target& kept,
                             Workspace& w) {
  const Target f = scratch_like(x.shape, x.dtype, w);
  convert(x, kept_layer(kept.data, 0, x.shape, x.dtype).x);
  for (std::int64_t l = 0; l < stack.layers(); ++l) {
    const auto k = static_cast<std::size_t>(l);
    const KeptLayer layer = kept_layer(kept.data, l, x.shape, x.dtype);
    Workspace scratch(w.pool());
    linear(read(layer.x), stack.weights[k], stack.biases[k], ScalarFunction::identity, layer.z, scratch);
    scalar(stack.f, 0, read(layer.z), f);
    const bool last = l + 1 == stack.layers();
    residual_add(read(layer.x), read(f), stack.gates, l, last ? y : kept_layer(kept.data, l + 1, x.shape, x.dtype).x,
                 scratch);
  }
}

void Backend::residual_stack_vjp(const ResidualStack& stack, const Operand& kept, const Operand& d_y,
                                 const ResidualStackGradients& d, Workspace& w) {
  const Target d_x = scratch_like(d_y.shape, d_y.dtype, w), f = scratch_like(d_y.shape, d_y.dtype, w),
               d_z = scratch_like(d_y.shape, d_y.dtype, w);
  convert(d_y, d_x);
  for (std::int64_t l = stack.layers() - 1; l >= 0; --l) {
    const auto k = static_cast<std::size_t>(l);
    const KeptLayer layer = kept_layer(const_cast<void*>(kept.data), l, d_y.shape, d_y.dtype);
    Workspace scratch(w.pool());
    scalar(stack.f, 0, read(layer.z), f);
    residual_add_vjp(read(f), stack.gates, l, read(d_x), d_z, d.gates, scratch);
    scalar_vjp(stack.f, read(info(stack.f.function).uses_output ? f : layer.z), read(d_z), d_z);
    Workspace products(w.pool());
    if (d.weights[k].data) gemm(Transpose::yes, read(d_z), Transpose::no, read(layer.x), 1, d.weights[k], products);
    if (d.biases[k].data) {
      Target d_bias = d.biases[k];
      d_bias.shape = d_bias.shape.prepended(1);
      reduce(Reduction::sum, read(d_z), d_bias, products);
    }
    const Target more{d_x.data, d_x.shape, d_x.dtype, true};
    gemm(Transpose::no, read(d_z), Transpose::no, stack.weights[k], 1, more, products);
  }
  if (d.x.data) scale(1, read(d_x), d.x);
}

void Backend::residual_stack_jvp(const Operand& x, const ResidualStack& stack, const Operand& t_x, const Target& y,
                                 const Target& t_y, Workspace& w) {
  const Target h = scratch_like(x.shape, x.dtype, w), branch = scratch_like(x.shape, x.dtype, w),
               slope = scratch_like(x.shape, x.dtype, w), t = scratch_like(t_x.shape, x.dtype, w),
               product = scratch_like(t_x.shape, x.dtype, w);
  convert(x, h);
  convert(t_x, t);
  for (std::int64_t l = 0; l < stack.layers(); ++l) {
    const auto k = static_cast<std::size_t>(l);
    Workspace scratch(w.pool());
    linear(read(h), stack.weights[k], stack.biases[k], ScalarFunction::identity, branch, scratch);
    scalar(stack.f, 1, read(branch), slope);
    scalar(stack.f, 0, read(branch), branch);
    gemm(Transpose::no, read(t), Transpose::yes, stack.weights[k], 1, product, scratch);
    binary(Binary::multiply, read(product), read(slope), product);
    residual_add(read(t), read(product), stack.gates, l, t, scratch);
    residual_add(read(h), read(branch), stack.gates, l, h, scratch);
  }
  scale(1, read(h), y);
  scale(1, read(t), t_y);
}

// ---- registry ----

namespace {

// Backends are never destroyed: tensors in static objects may outlive any order of destruction, and a pool keeps a
// reference to a replaced one.
class Registry {
 public:
  Backend* find(Device device) const { return slot(device).load(std::memory_order_acquire); }

  void put(Device device, std::unique_ptr<Backend> backend) {
    const std::lock_guard lock(mutex_);
    slot(device).store(backend.get(), std::memory_order_release);
    owned_.push_back(std::move(backend));
  }

  // Makes the backend of a device that brings its own.
  Backend& make(Device device) {
    const std::lock_guard lock(making_);
    if (Backend* found = find(device)) return *found;
    RZ_CHECK(device, device.kind != DeviceKind::guarded, "device: {} has no backend", device.text());
    RZ_CHECK(device, device.kind != DeviceKind::cpu || device.index == 0, "device: there is one CPU, not a number {}",
             device.index);
    put(device, device.kind == DeviceKind::cpu ? make_cpu_backend() : make_cuda_backend(device.index));
    return *find(device);
  }

 private:
  std::atomic<Backend*>& slot(Device device) const {
    return slots_[static_cast<std::size_t>(device.kind)][device.index];
  }

  mutable std::atomic<Backend*> slots_[3][256] = {};
  std::mutex mutex_, making_;
  std::vector<std::unique_ptr<Backend>> owned_;
};

Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

}  // namespace

Backend& backend(Device device) {
  Backend* const found = registry().find(device);
  return found ? *found : registry().make(device);
}

bool has_device(Device device) {
  try {
    backend(device);
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::device) return false;
    throw;
  }
}

void register_backend(Device device, std::unique_ptr<Backend> backend) { registry().put(device, std::move(backend)); }

}  // namespace rz
