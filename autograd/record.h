// record: the only door to the tape. An operation computes its value on tensors and gives two rules:
//   vjp(const Tensor& d_y, Gradients& d)          on plain tensors, writes into destinations; kept on the tape
//   jvp(const Primals& p, const Tangents& t)      in recorded operations, so that reverse over forward needs no further
//   rules; called at once, and only if
//                                                 an input has a tangent. p[i] has no tangent; t[i] has shape [k, shape
//                                                 of input i]. Returns the tangent of the value, [k, its shape], or an
//                                                 undefined Variable for none.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "autograd/variable.h"

namespace rz {

class Primals {
 public:
  explicit Primals(std::span<const Variable* const> inputs) : inputs_(inputs) {}
  Variable operator[](std::size_t i) const { return inputs_[i]->primal(); }

 private:
  std::span<const Variable* const> inputs_;
};

class Tangents {
 public:
  explicit Tangents(std::span<const Variable* const> inputs) : inputs_(inputs) {}
  bool has(std::size_t i) const { return inputs_[i]->tangent() != nullptr; }
  const Variable& operator[](std::size_t i) const { return *inputs_[i]->tangent(); }
  std::int64_t count() const;  // k

 private:
  std::span<const Variable* const> inputs_;
};

Variable add(const Variable& a, const Variable& b);  // autograd/ops.h

// A sum of recorded terms, each only if its tangent is there.
class Sum {
 public:
  template <class F>
  Sum& add(bool present, F&& term) {
    if (present) value_ = value_.defined() ? rz::add(value_, term()) : term();
    return *this;
  }
  operator Variable() const { return value_; }

 private:
  Variable value_;
};

// Refers to a Variable for the length of a call, so that {x, weight, bias} copies no handles.
struct Input {
  const Variable* variable;
  Input(const Variable& v) : variable(&v) {}
};

namespace detail {
template <class F>
struct RuleOf final : Rule {
  explicit RuleOf(F f) : function(std::move(f)) {}
  void apply(const Tensor& d_y, Gradients& d) override { function(d_y, d); }
  F function;
};
Variable finish(const OperationName& name, std::span<const Variable* const> inputs, Tensor value,
                std::unique_ptr<Rule> rule);
bool wants_rule(std::span<const Variable* const> inputs);  // a tape is active and an input is on it
bool has_tangent(std::span<const Variable* const> inputs);
Variable attach_tangent(Variable y, Variable tangent);
}  // namespace detail

template <class Vjp, class Jvp>
Variable record(const OperationName& name, std::span<const Variable* const> inputs, Tensor value, Vjp&& vjp,
                Jvp&& jvp) {
  std::unique_ptr<detail::Rule> rule;
  if (detail::wants_rule(inputs)) rule = std::make_unique<detail::RuleOf<std::decay_t<Vjp>>>(std::forward<Vjp>(vjp));
  Variable y = detail::finish(name, inputs, std::move(value), std::move(rule));
  if (!detail::has_tangent(inputs)) return y;
  return detail::attach_tangent(std::move(y), jvp(Primals(inputs), Tangents(inputs)));
}

template <class Vjp, class Jvp>
Variable record(const OperationName& name, std::initializer_list<Input> inputs, Tensor value, Vjp&& vjp, Jvp&& jvp) {
  static_assert(sizeof(Input) == sizeof(const Variable*));
  const Variable* pointers[4];  // no operation with a fixed number of inputs has more
  std::size_t n = 0;
  for (const Input& input : inputs) pointers[n++] = input.variable;
  return record(name, std::span<const Variable* const>(pointers, n), std::move(value), std::forward<Vjp>(vjp),
                std::forward<Jvp>(jvp));
}

// For tests: the names of all operations recorded in this process so far.
std::vector<std::string_view> recorded_names();

// Where in a model the running code is ("linear_layers.12"), for messages. Costs two pointer writes.
class Scope {
 public:
  explicit Scope(const char* name, std::int64_t index = -1);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  static std::string path();  // "" outside

 private:
  const char* name_;
  std::int64_t index_;
  Scope* outer_;
};

// While it lives on this thread, every recorded value is checked; the first that is not finite is remembered.
class FiniteCheck {
 public:
  FiniteCheck();
  ~FiniteCheck();
  FiniteCheck(const FiniteCheck&) = delete;
  FiniteCheck& operator=(const FiniteCheck&) = delete;
  const std::string& first() const { return first_; }  // "linear_layers.12: linear", or "" when all were finite

 private:
  friend Variable detail::finish(const OperationName&, std::span<const Variable* const>, Tensor,
                                 std::unique_ptr<detail::Rule>);
  std::string first_;
};

// A FiniteCheck or a TapeWatch lives on this thread: somebody wants to see each operation.
bool operations_watched();

}  // namespace rz
