// Transforms of functions: Jacobians and second derivatives.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "autograd/parameter.h"
#include "autograd/variable.h"
#include "core/error.h"

namespace rz {

using Function = std::function<Variable(const Variable&)>;

struct ValueAndTangent {
  Tensor value;    // y
  Tensor tangent;  // [k, shape of y]
};
// J v for k directions v [k, shape of x] in one forward pass.
ValueAndTangent jvp(const Function& f, const Tensor& x, const Tensor& v);
// J^T u, u of y's shape.
Tensor vjp(const Function& f, const Tensor& x, const Tensor& u);

// Of code memory: a budget that is too small, and the least that would do.
class BudgetError : public Error {
 public:
  BudgetError(std::string message, std::int64_t least) : Error(ErrorCode::memory, std::move(message)), least_(least) {}
  std::int64_t least() const { return least_; }  // bytes

 private:
  std::int64_t least_;
};

enum class JacobianMode { automatic, forward, reverse };
struct JacobianOptions {
  JacobianMode mode = JacobianMode::automatic;  // forward when x has at most as many elements as y
  std::int64_t memory = std::int64_t{1} << 30;  // bytes for one chunk of directions
  // Forward mode on the CPU may call f from several threads at once, as models allow.
  bool concurrent = false;
};
// J [elements of y, elements of x] at x. Forward mode pushes chunks of unit tangents; reverse mode repeats x over rows
// and needs x [1, ...] -> y [1, ...] whose rows do not depend on each other (active dropout is refused: value). Throws
// also: BudgetError (one direction does not fit the budget).
Tensor jacobian(const Function& f, const Tensor& x, const JacobianOptions& options = {});

// Gradient and Hessian-vector product of a scalar function of x at x along v: reverse over forward.
struct GradientAndProduct {
  Tensor gradient;  // shape of x
  Tensor product;   // H v, shape of x
};
GradientAndProduct hessian_vector(const Function& f, const Tensor& x, const Tensor& v);
// The same for the parameters of a model: v and the results are flat like store.values().
GradientAndProduct hessian_vector(const std::function<Variable()>& loss, ParameterStore& store, const Tensor& v);

// ||J v||^2 at x and its gradient with respect to all parameters (in store.gradients()).
double jacobian_vector_norm(const Function& f, const Tensor& x, const Tensor& v);

// f(x), but nothing inside f is kept: the backward pass runs f again. Equal to f bit for bit, in memory O(one segment).
Variable checkpoint(const Function& f, const Variable& x);

// While an object lives: running inside a reverse-mode Jacobian with repeated rows. Operations that mix rows refuse
// (Throws: value).
bool rows_must_be_independent();
void require_row_independence(bool independent, const char* operation);

}  // namespace rz
