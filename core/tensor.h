// Tensor: a small value, a shared handle to dense row-major storage with shape, dtype and device. Copies share the
// storage. There are no strides and no views but reshape and the leading-dimension slice, both free: every kernel may
// assume dense memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/device.h"
#include "core/dtype.h"
#include "core/memory.h"
#include "core/operand.h"
#include "core/shape.h"

namespace rz {

class Tensor {
 public:
  Tensor() = default;  // empty: no storage, defined() is false
  // Memory with undefined contents.   Throws: memory.
  explicit Tensor(const Shape& shape, DType dtype = DType::f32, Device device = {});

  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = {});
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Device device = {});
  static Tensor identity(std::int64_t n, DType dtype = DType::f64, Device device = {});
  // A copy of host values; f32 and f64 round from double.   Throws: shape (values.size() differs from the shape's
  // elements).
  static Tensor of(const Shape& shape, std::span<const double> values, DType dtype = DType::f64, Device device = {});
  static Tensor of_integers(const Shape& shape, std::span<const std::int64_t> values, DType dtype = DType::i64,
                            Device device = {});

  bool defined() const { return static_cast<bool>(block_); }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device device() const;
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  bool unique() const { return block_.unique(); }  // no other tensor shares the storage
  bool shares_storage(const Tensor& other) const { return block_.get() == other.block_.get(); }

  Tensor reshape(const Shape& shape) const;                   // shares.  Throws: shape
  Tensor rows(std::int64_t first, std::int64_t count) const;  // leading-dimension slice, shares.  Throws: shape
  Tensor flat_range(std::int64_t first, std::int64_t count,
                    const Shape& shape) const;  // a range of the elements, shares.  Throws: shape

  Tensor clone() const;          // own storage
  Tensor to(DType dtype) const;  // same storage if nothing changes
  Tensor to(Device device) const;
  void copy_from(const Tensor& source) const;  // same shape; converts dtype and device.  Throws: shape

  // Host access; a copy from the device. Inside a Step they throw (core/step.h): a captured step may not read on the
  // host.
  double item() const;                    // of one element.  Throws: shape
  std::vector<double> to_vector() const;  // all elements as double
  std::vector<std::int64_t> to_integers() const;
  void to_host(void* destination) const;     // raw bytes
  void from_host(const void* source) const;  // raw bytes, overwrites

  // Memory of the CPU's tensors.   Throws: device (the tensor is elsewhere), dtype.
  template <class T>
  T* data() const {
    return static_cast<T*>(host_data(dtype_of<T>()));
  }
  void* raw() const;  // device address; only Backend implementations may look behind it

  Operand operand() const { return {raw(), shape_, dtype_}; }

 private:
  void* host_data(DType dtype) const;
  BlockHandle block_;
  std::int64_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::f32;
};

// Where an operation writes: overwrite, or add to what is there.
struct Destination {
  Tensor tensor;
  bool accumulate = false;
  Target target() const { return {tensor.raw(), tensor.shape(), tensor.dtype(), accumulate}; }
};

}  // namespace rz
