// Variable: a tensor with its place on the tape and, in forward mode, its tangents.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "core/tensor.h"

namespace rz {

class Variable {
 public:
  Variable() = default;                                 // undefined
  Variable(Tensor value) : value_(std::move(value)) {}  // a constant

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  DType dtype() const { return value_.dtype(); }
  double item() const { return value_.item(); }

  bool recorded() const { return node_ >= 0; }                // has a place on a tape: gradients flow through it
  const Variable* tangent() const { return tangent_.get(); }  // [k, shape]: k directions; null in the absence of one
  Variable detached() const { return Variable(value_); }      // the value alone
  Variable primal() const;                                    // without its tangent, still on the tape
  // The same with k tangents, [k, shape].   Throws: shape; value (it has tangents already: forward mode does not nest).
  Variable with_tangent(Variable tangent) const;

 private:
  friend class Tape;
  Tensor value_;
  std::uint32_t tape_ = 0;  // serial number of its tape
  std::int32_t node_ = -1;
  std::shared_ptr<const Variable> tangent_;
};

}  // namespace rz
