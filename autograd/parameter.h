// ParameterStore: values, gradients and optimiser slots of a model, each in one flat buffer ordered by role. A
// Parameter is a name, a role and a range. Declare all parameters first, then build() draws the initial values.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "core/random.h"
#include "core/tensor.h"

namespace rz {

// A buffer is stored and loaded like the others, but never trained.
enum class Role : std::uint8_t { weight, bias, norm, embedding, residual_weight, buffer };
inline constexpr int role_count = 6;
// Those that are trained.
inline constexpr Role all_roles[] = {Role::weight, Role::bias, Role::norm, Role::embedding, Role::residual_weight};
std::string_view name(Role role);
Role role_named(std::string_view name);  // Throws: value

// Writes the initial values, drawn on the host in f64 and then rounded, so that they agree on every device. Called from
// several threads, for a parameter each.
using Initializer = std::function<void(std::span<double> values, Random& random)>;

class ParameterStore;

class Parameter {
 public:
  Parameter() = default;
  const std::string& name() const;
  Role role() const;
  const Shape& shape() const;
  Tensor value() const;     // shares the flat buffer
  Tensor gradient() const;  // shares the flat buffer
  int index() const { return index_; }
  ParameterStore& store() const { return *store_; }
  bool defined() const { return store_ != nullptr; }
  // As an input of an operation: on the active tape a leaf whose gradient is written to the flat buffer, otherwise a
  // constant.
  Variable variable() const;
  operator Variable() const { return variable(); }
  // Its rows [first, first + count) as an input: a view, whose gradient is written to these rows of the flat buffer.
  // Throws: shape.
  Variable rows(std::int64_t first, std::int64_t count) const;

 private:
  friend class ParameterStore;
  Parameter(ParameterStore* store, int index) : store_(store), index_(index) {}
  ParameterStore* store_ = nullptr;
  int index_ = -1;
};

class ParameterStore {
 public:
  ParameterStore();
  ~ParameterStore();
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  Parameter declare(std::string name, const Shape& shape, Role role,
                    Initializer initializer);  // Throws: value (name taken, already built)
  // Draws every parameter from stream "parameter/NAME" of `seed`: adding one does not change the others.
  void build(std::uint64_t seed, DType dtype = DType::f32, Device device = {});
  bool built() const { return values_.defined(); }
  void to(DType dtype);  // converts values; gradients and slots start anew
  void to(Device device);
  DType dtype() const { return values_.dtype(); }
  Device device() const { return values_.device(); }

  int size() const { return static_cast<int>(entries_.size()); }
  Parameter operator[](int index) const;
  Parameter find(std::string_view name) const;  // by name or alias; undefined when there is none
  // Another name that files may use for a parameter, such as that of a tied matrix.   Throws: value (it is taken)
  void alias(std::string name, const Parameter& parameter);
  std::int64_t scalars() const;  // number of trainable numbers: those of buffers are not

  // Flat buffers; parameters start at multiples of 16 elements, the gaps stay 0.
  const Tensor& values() const { return values_; }
  const Tensor& gradients();       // made at the first call
  Tensor values(Role role) const;  // the role's range; undefined when empty
  Tensor gradients(Role role);
  // A stretch of the flat buffers that holds parameters of one role.
  struct Range {
    Role role = Role::weight;
    std::int64_t first = 0, count = 0;
    bool matches = true;  // their names begin with the prefix that was asked for
  };
  // f(range) for all parameters, in the fewest ranges in which either all names begin with `prefix` or none does.
  template <class F>
  void each_range(std::string_view prefix, F&& f) const;
  bool holds(const Range& range, const Parameter& parameter) const;
  Tensor values(const Range& range) const;
  Tensor gradients(const Range& range);
  // Optimiser state: named flat buffers beside values, 0 at the start.
  Tensor slot(std::string_view name);
  Tensor slot(std::string_view name, const Range& range);
  Tensor slot(std::string_view name, const Parameter& parameter);
  std::vector<std::string> slot_names() const;

  // Tangents of the parameters for forward mode: one direction, flat like values() (undefined: none).
  void set_tangent(Tensor tangent) { tangent_ = std::move(tangent); }

 private:
  friend class Parameter;
  friend class Tape;
  friend class Gradients;
  struct Entry {
    std::string name;
    Shape shape;
    Role role;
    Initializer initializer;
    std::int64_t offset = 0;
    bool gradient_written = false;  // in the running backward pass: overwrite first, accumulate after
  };
  Tensor range_of(const Tensor& flat, int index) const;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, int> names_;
  Range ranges_[role_count];
  std::int64_t flat_size_ = 0;
  Tensor values_, gradients_, tangent_;
  std::vector<std::pair<std::string, Tensor>> slots_;
};

template <class F>
void ParameterStore::each_range(std::string_view prefix, F&& f) const {
  for (const Role role : all_roles) {
    const Range& whole = ranges_[static_cast<std::size_t>(role)];
    Range range{role, whole.first, 0, true};
    const auto end_at = [&](std::int64_t end) {
      range.count = end - range.first;
      if (range.count > 0) f(std::as_const(range));
    };
    for (const Entry& entry : entries_) {
      if (entry.role != role || entry.name.starts_with(prefix) == range.matches) continue;
      end_at(entry.offset);
      range = {role, entry.offset, 0, !range.matches};
    }
    end_at(whole.first + whole.count);
  }
}

}  // namespace rz
