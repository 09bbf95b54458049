#include "autograd/record.h"

#include <cmath>
#include <mutex>
#include <set>

#include "core/error.h"
#include "core/ops.h"

namespace rz {

namespace {
thread_local Scope* innermost_scope = nullptr;
thread_local FiniteCheck* finite_check = nullptr;

std::mutex names_mutex;
std::set<std::string_view>& names() {
  static std::set<std::string_view> set;
  return set;
}

// A name is a literal, so its address is enough to see that it is known; the lock is taken once per name and thread.
void note_name(const char* name) {
  thread_local std::set<const char*> known;
  if (!known.insert(name).second) return;
  const std::lock_guard lock(names_mutex);
  names().insert(name);
}
}  // namespace

std::vector<std::string_view> recorded_names() {
  const std::lock_guard lock(names_mutex);
  return {names().begin(), names().end()};
}

std::int64_t Tangents::count() const {
  for (const Variable* input : inputs_)
    if (input->tangent()) return input->tangent()->shape()[0];
  return 0;
}

namespace detail {

bool wants_rule(std::span<const Variable* const> inputs) {
  const Tape* tape = Tape::active();
  if (!tape) return false;
  for (const Variable* input : inputs)
    if (tape->node_of(*input) >= 0) return true;
  return false;
}

bool has_tangent(std::span<const Variable* const> inputs) {
  for (const Variable* input : inputs)
    if (input->tangent()) return true;
  return false;
}

Variable finish(const OperationName& name, std::span<const Variable* const> inputs, Tensor value,
                std::unique_ptr<Rule> rule) {
  note_name(name.text);
  if (finite_check && finite_check->first_.empty() && !std::isfinite(ops::sum_of_squares(value).item())) {
    const std::string path = Scope::path();
    finite_check->first_ = path.empty() ? name.text : path + ": " + name.text;
  }
  if (!rule) return Variable(std::move(value));
  return Tape::active()->append(name, inputs, std::move(value), std::move(rule));
}

Variable attach_tangent(Variable y, Variable tangent) {
  return tangent.defined() ? y.with_tangent(std::move(tangent)) : y;
}

}  // namespace detail

Scope::Scope(const char* name, std::int64_t index) : name_(name), index_(index), outer_(innermost_scope) {
  innermost_scope = this;
}
Scope::~Scope() { innermost_scope = outer_; }

std::string Scope::path() {
  std::string path;
  for (const Scope* scope = innermost_scope; scope; scope = scope->outer_) {
    std::string part = scope->name_;
    if (scope->index_ >= 0) part += "." + std::to_string(scope->index_);
    path = path.empty() ? part : part + "." + path;
  }
  return path;
}

FiniteCheck::FiniteCheck() {
  RZ_CHECK(value, !finite_check, "finite check: this thread has one already");
  finite_check = this;
}
FiniteCheck::~FiniteCheck() { finite_check = nullptr; }

bool operations_watched() { return finite_check || TapeWatch::active(); }

}  // namespace rz
