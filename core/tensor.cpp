#include "core/tensor.h"

#include <cstring>

#include "core/backend.h"
#include "core/error.h"
#include "core/step.h"

namespace rz {

Tensor::Tensor(const Shape& shape, DType dtype, Device device)
    : block_(pool(device).allocate(static_cast<std::size_t>(shape.elements()) * size_of(dtype))),
      shape_(shape),
      dtype_(dtype) {}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor t(shape, dtype, device);
  backend(device).fill(value, Destination{t}.target());
  return t;
}

namespace {
void require(bool defined, const char* what) {
  RZ_CHECK(value, defined, "{}: the tensor is undefined (default-constructed)", what);
}
}  // namespace

Tensor Tensor::identity(std::int64_t n, DType dtype, Device device) {
  Tensor host = zeros({n, n}, dtype);
  for (std::int64_t i = 0; i < n; ++i) {
    if (dtype == DType::f64)
      host.data<double>()[i * n + i] = 1;
    else
      host.data<float>()[i * n + i] = 1;
  }
  return host.to(device);
}

Tensor Tensor::of(const Shape& shape, std::span<const double> values, DType dtype, Device device) {
  RZ_CHECK(shape, static_cast<std::int64_t>(values.size()) == shape.elements(),
           "tensor: {} values were given for shape {}", values.size(), shape);
  Tensor host(shape, DType::f64);
  if (!values.empty()) std::memcpy(host.raw(), values.data(), values.size_bytes());
  return host.to(dtype).to(device);
}

Tensor Tensor::of_integers(const Shape& shape, std::span<const std::int64_t> values, DType dtype, Device device) {
  RZ_CHECK(shape, static_cast<std::int64_t>(values.size()) == shape.elements(),
           "tensor: {} values were given for shape {}", values.size(), shape);
  Tensor host(shape, DType::i64);
  if (!values.empty()) std::memcpy(host.raw(), values.data(), values.size_bytes());
  return host.to(dtype).to(device);
}

Device Tensor::device() const { return block_ ? block_->pool->backend().device() : Device::cpu(); }

void* Tensor::raw() const { return block_ ? static_cast<char*>(block_->data) + offset_ : nullptr; }

void* Tensor::host_data(DType dtype) const {
  RZ_CHECK(device, device() == Device::cpu(), "tensor: its memory is on {}, copy it to the cpu to read it",
           device().text());
  RZ_CHECK(dtype, dtype == dtype_, "tensor: its elements are {}, not {}", dtype_, dtype);
  return raw();
}

Tensor Tensor::reshape(const Shape& shape) const {
  RZ_CHECK(shape, shape.elements() == elements(), "reshape: {} has {} elements, {} has {}", shape_, elements(), shape,
           shape.elements());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::rows(std::int64_t first, std::int64_t count) const {
  RZ_CHECK(shape, shape_.rank() >= 1 && first >= 0 && count >= 0 && count <= shape_[0] && first <= shape_[0] - count,
           "rows: {} rows from {} on are not in {}", count, first, shape_);
  Tensor t = *this;
  const std::int64_t row = shape_[0] ? elements() / shape_[0] : 0;
  t.offset_ += first * row * static_cast<std::int64_t>(size_of(dtype_));
  t.shape_ = shape_.with(0, count);
  return t;
}

Tensor Tensor::flat_range(std::int64_t first, std::int64_t count, const Shape& shape) const {
  RZ_CHECK(shape,
           first >= 0 && count >= 0 && count <= elements() && first <= elements() - count && shape.elements() == count,
           "flat_range: {} elements from {} on with shape {} are not in {}", count, first, shape, shape_);
  Tensor t = *this;
  t.offset_ += first * static_cast<std::int64_t>(size_of(dtype_));
  t.shape_ = shape;
  return t;
}

Tensor Tensor::clone() const {
  require(defined(), "clone");
  Tensor t(shape_, dtype_, device());
  backend(device()).convert(operand(), Destination{t}.target());
  return t;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  require(defined(), "to");
  Tensor t(shape_, dtype, device());
  backend(device()).convert(operand(), Destination{t}.target());
  return t;
}

Tensor Tensor::to(Device target) const {
  if (target == device()) return *this;
  require(defined(), "to");
  Tensor t(shape_, dtype_, target);
  t.copy_from(*this);
  return t;
}

void Tensor::copy_from(const Tensor& source) const {
  require(defined() && source.defined(), "copy");
  RZ_CHECK(shape, source.shape() == shape_, "copy: source {} and destination {} need one shape", source.shape(),
           shape_);
  if (source.device() == device()) {
    backend(device()).convert(source.operand(), Destination{*this}.target());
  } else if (device() == Device::cpu() || source.device() == Device::cpu()) {
    const Tensor same_type = source.to(dtype_);
    if (device() == Device::cpu())
      same_type.to_host(raw());
    else
      from_host(same_type.raw());
  } else {
    copy_from(source.to(Device::cpu()));
  }
}

void Tensor::to_host(void* destination) const {
  require(defined(), "to_host");
  forbid_in_step("reading a tensor on the host");
  backend(device()).download(destination, raw(), bytes());
}

void Tensor::from_host(const void* source) const {
  require(defined(), "from_host");
  backend(device()).upload(raw(), source, bytes());
}

double Tensor::item() const {
  RZ_CHECK(shape, elements() == 1, "item: {} has {} elements, not one", shape_, elements());
  return to_vector()[0];
}

std::vector<double> Tensor::to_vector() const {
  forbid_in_step("reading a tensor on the host");
  require(defined(), "to_vector");
  const Tensor wide = to(DType::f64);
  std::vector<double> values(static_cast<std::size_t>(elements()));
  if (!values.empty()) wide.to_host(values.data());
  return values;
}

std::vector<std::int64_t> Tensor::to_integers() const {
  forbid_in_step("reading a tensor on the host");
  require(defined(), "to_integers");
  const Tensor wide = to(DType::i64);
  std::vector<std::int64_t> values(static_cast<std::size_t>(elements()));
  if (!values.empty()) wide.to_host(values.data());
  return values;
}

}  // namespace rz
