#include "autograd/parameter.h"

#include "autograd/tape.h"
#include "core/error.h"
#include "core/parallel.h"

namespace rz {

namespace {
constexpr std::string_view role_names[] = {"weight", "bias", "norm", "embedding", "residual_weight", "buffer"};
constexpr std::int64_t alignment =
    16;  // elements: 64 bytes in f32, 128 in f64, so that offsets do not depend on the dtype
}  // namespace

std::string_view name(Role role) { return role_names[static_cast<std::size_t>(role)]; }

Role role_named(std::string_view wanted) {
  for (const Role role : all_roles)
    if (name(role) == wanted) return role;
  RZ_FAIL(value, "role: {} is not a role (weight, bias, norm, embedding, residual_weight)", wanted);
}

const std::string& Parameter::name() const { return store_->entries_[static_cast<std::size_t>(index_)].name; }
Role Parameter::role() const { return store_->entries_[static_cast<std::size_t>(index_)].role; }
const Shape& Parameter::shape() const { return store_->entries_[static_cast<std::size_t>(index_)].shape; }
Tensor Parameter::value() const { return store_->range_of(store_->values_, index_); }
Tensor Parameter::gradient() const { return store_->range_of(store_->gradients(), index_); }

Variable Parameter::variable() const {
  if (role() == Role::buffer) return Variable(value());
  Tape* tape = Tape::active();
  Variable v = tape ? tape->parameter(*this) : Variable(value());
  if (!store_->tangent_.defined()) return v;
  return v.with_tangent(store_->range_of(store_->tangent_, index_).reshape(shape().prepended(1)));
}

Variable Parameter::rows(std::int64_t first, std::int64_t count) const {
  Tape* tape = Tape::active();
  Variable v = tape ? tape->parameter_rows(*this, first, count) : Variable(value().rows(first, count));
  if (!store_->tangent_.defined()) return v;
  return v.with_tangent(store_->range_of(store_->tangent_, index_).rows(first, count).reshape(v.shape().prepended(1)));
}

ParameterStore::ParameterStore() = default;
ParameterStore::~ParameterStore() = default;

Parameter ParameterStore::declare(std::string name, const Shape& shape, Role role, Initializer initializer) {
  RZ_CHECK(value, !built(), "parameter: {} was declared after build()", name);
  RZ_CHECK(value, !names_.contains(name), "parameter: {} was declared twice", name);
  names_.emplace(name, size());
  entries_.push_back({std::move(name), shape, role, std::move(initializer)});
  return Parameter(this, size() - 1);
}

void ParameterStore::alias(std::string name, const Parameter& parameter) {
  RZ_CHECK(value, !names_.contains(name), "parameter: {} was declared twice", name);
  names_.emplace(std::move(name), parameter.index());
}

void ParameterStore::build(std::uint64_t seed, DType dtype, Device device) {
  RZ_CHECK(value, !built(), "parameter: build() was called twice on {} parameters", size());
  flat_size_ = 0;
  for (Range& range : ranges_) {
    const auto role = static_cast<Role>(&range - ranges_);
    range.role = role;
    range.first = flat_size_;
    for (Entry& entry : entries_) {
      if (entry.role != role) continue;
      entry.offset = flat_size_;
      flat_size_ += (entry.shape.elements() + alignment - 1) / alignment * alignment;
    }
    range.count = flat_size_ - range.first;
  }
  Tensor host = Tensor::zeros({flat_size_}, dtype);
  parallel_for(size(), [&](std::int64_t i) {  // each draws from its own stream
    const Entry& entry = entries_[static_cast<std::size_t>(i)];
    std::vector<double> values(static_cast<std::size_t>(entry.shape.elements()));
    Random random(seed, stream_named("parameter/" + entry.name));
    entry.initializer(values, random);
    const Shape flat{entry.shape.elements()};
    host.flat_range(entry.offset, entry.shape.elements(), flat).copy_from(Tensor::of(flat, values, DType::f64));
  });
  values_ = host.to(device);
}

void ParameterStore::to(DType dtype) {
  values_ = values_.to(dtype);
  gradients_ = Tensor();
  slots_.clear();
}

void ParameterStore::to(Device device) {
  values_ = values_.to(device);
  gradients_ = Tensor();
  slots_.clear();
}

Parameter ParameterStore::operator[](int index) const { return Parameter(const_cast<ParameterStore*>(this), index); }

Parameter ParameterStore::find(std::string_view name) const {
  const auto found = names_.find(std::string(name));
  return found == names_.end() ? Parameter() : (*this)[found->second];
}

std::int64_t ParameterStore::scalars() const {
  std::int64_t total = 0;
  for (const Entry& entry : entries_)
    if (entry.role != Role::buffer) total += entry.shape.elements();
  return total;
}

const Tensor& ParameterStore::gradients() {
  if (!gradients_.defined()) gradients_ = Tensor::zeros({flat_size_}, dtype(), device());
  return gradients_;
}

namespace {
Tensor part(const Tensor& flat, const ParameterStore::Range& range) {
  return range.count ? flat.flat_range(range.first, range.count, {range.count}) : Tensor();
}
}  // namespace

bool ParameterStore::holds(const Range& range, const Parameter& parameter) const {
  const std::int64_t offset = entries_[static_cast<std::size_t>(parameter.index())].offset;
  return offset >= range.first && offset < range.first + range.count;
}

Tensor ParameterStore::range_of(const Tensor& flat, int index) const {
  const Entry& entry = entries_[static_cast<std::size_t>(index)];
  return flat.flat_range(entry.offset, entry.shape.elements(), entry.shape);
}

Tensor ParameterStore::values(Role role) const { return values(ranges_[static_cast<std::size_t>(role)]); }
Tensor ParameterStore::gradients(Role role) { return gradients(ranges_[static_cast<std::size_t>(role)]); }
Tensor ParameterStore::values(const Range& range) const { return part(values_, range); }
Tensor ParameterStore::gradients(const Range& range) { return part(gradients(), range); }

Tensor ParameterStore::slot(std::string_view name) {
  for (const auto& [slot_name, tensor] : slots_)
    if (slot_name == name) return tensor;
  return slots_.emplace_back(std::string(name), Tensor::zeros({flat_size_}, dtype(), device())).second;
}
Tensor ParameterStore::slot(std::string_view name, const Range& range) { return part(slot(name), range); }
Tensor ParameterStore::slot(std::string_view name, const Parameter& parameter) {
  return range_of(slot(name), parameter.index());
}

std::vector<std::string> ParameterStore::slot_names() const {
  std::vector<std::string> names;
  for (const auto& entry : slots_) names.push_back(entry.first);
  return names;
}

}  // namespace rz
