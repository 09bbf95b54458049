// How core/ops*.cpp call a backend: checks that all operations share, and the notes that a step and a trace take.
// Private.
#pragma once

#include <initializer_list>

#include "core/error.h"
#include "core/ops.h"
#include "core/step.h"
#include "core/trace.h"

namespace rz::ops {

// The backend of a call's tensors, after the step and a trace have been told of it. A null input is one that may be
// left out.
inline Backend& begin(const char* name, std::initializer_list<const Tensor*> inputs, const Tensor& result,
                      std::int64_t flops) {
  RZ_CHECK(value, result.defined(), "{}: the tensor to write to is undefined (default-constructed)", name);
  std::int64_t bytes = static_cast<std::int64_t>(result.bytes());
  for (const Tensor* t : inputs) {
    if (!t) continue;
    RZ_CHECK(value, t->defined(), "{}: one of its tensors is undefined (default-constructed)", name);
    RZ_CHECK(device, t->device() == result.device(), "{}: one tensor is on {}, another on {}", name, t->device().text(),
             result.device().text());
    bytes += static_cast<std::int64_t>(t->bytes());
  }
  note_operation(name, result.shape());
  trace_operation(name, result.shape(), bytes, flops);
  return backend(result.device());
}

inline void check_dtype(const char* name, const Tensor& a, const Tensor& b) {
  RZ_CHECK(dtype, a.dtype() == b.dtype(), "{}: {} {} and {} {} need one dtype (convert with to())", name, a.dtype(),
           a.shape(), b.dtype(), b.shape());
}
inline void check_real(const char* name, const Tensor& x) {
  RZ_CHECK(dtype, is_real(x.dtype()), "{}: {} {} must be f32 or f64", name, x.dtype(), x.shape());
}
inline void check_shape(const char* name, const char* what, const Tensor& x, const Shape& wanted) {
  RZ_CHECK(shape, x.shape() == wanted, "{}: {} is {}, but must be {}", name, what, x.shape(), wanted);
}
inline void check_indices(const char* name, const Tensor& indices) {
  RZ_CHECK(dtype, indices.dtype() == DType::i64, "{}: indices {} {} must be i64", name, indices.dtype(),
           indices.shape());
  RZ_CHECK(shape, indices.shape().rank() == 1, "{}: indices {} must have one axis", name, indices.shape());
}
inline int axis_in(const char* name, int axis, const Shape& shape) {
  const int positive = axis < 0 ? axis + shape.rank() : axis;
  RZ_CHECK(shape, positive >= 0 && positive < shape.rank(), "{}: there is no axis {} in {}", name, axis, shape);
  return positive;
}
inline void check_state(const char* name, const Tensor& state) {
  RZ_CHECK(dtype, state.dtype() == DType::f64, "{}: the step state is {}, but must be f64", name, state.dtype());
  RZ_CHECK(shape, state.shape() == Shape{state_slots}, "{}: the step state is {}, but must be {}", name, state.shape(),
           Shape{state_slots});
}
inline const Tensor* if_defined(const Tensor& t) { return t.defined() ? &t : nullptr; }
// An output that may be left out.
inline void check_output(const char* name, const char* what, const Destination& d, const Shape& wanted,
                         const Tensor& x) {
  if (!d.tensor.defined()) return;
  check_shape(name, what, d.tensor, wanted);
  check_dtype(name, x, d.tensor);
}
inline Tensor like(const Tensor& x) { return Tensor(x.shape(), x.dtype(), x.device()); }
inline Target none(DType dtype) { return {nullptr, Shape{}, dtype, false}; }
inline Target target_or_none(const Destination& d, DType dtype) {
  return d.tensor.defined() ? d.target() : none(dtype);
}
inline Operand operand_or_none(const Tensor& t, DType dtype) {
  return t.defined() ? t.operand() : Operand{nullptr, Shape{}, dtype};
}

}  // namespace rz::ops
