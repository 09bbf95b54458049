#include "core/tensor.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "support/close.h"
#include "support/guarded_device.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

Tensor counting(const Shape& shape, DType dtype = DType::f64, Device device = {}) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  std::iota(values.begin(), values.end(), 0.0);
  return Tensor::of(shape, values, dtype, device);
}

}  // namespace

TEST_SUITE("core/tensor") {
  TEST_CASE("tensor: constructors") {
    CHECK(!Tensor().defined());
    CHECK(close(Tensor::zeros({2, 2}), {0, 0, 0, 0}, 0));
    CHECK(close(Tensor::full({3}, 2.5, DType::f32), {2.5, 2.5, 2.5}, 0));
    CHECK(close(Tensor::full({2}, 7, DType::i64), {7, 7}, 0));
    CHECK(close(Tensor::identity(2, DType::f32), {1, 0, 0, 1}, 0));
    CHECK(Tensor::full({}, 3).item() == 3);
    const std::vector<std::int64_t> integers = {1, -2, std::int64_t{1} << 60};
    CHECK(Tensor::of_integers({3}, integers).to_integers() == integers);
    const Tensor empty({0, 4});
    CHECK(empty.defined());
    CHECK(empty.to_vector().empty());
    CHECK(empty.clone().elements() == 0);
  }

  TEST_CASE("tensor: memory of a tensor is aligned") {
    for (std::int64_t n : {1, 3, 100, 5000, 3000000})
      CHECK(reinterpret_cast<std::uintptr_t>(Tensor({n}).raw()) % 64 == 0);
  }

  TEST_CASE("tensor: copies, reshape, rows and ranges share the storage") {
    const Tensor x = counting({4, 3});
    CHECK(x.unique());
    const Tensor copy = x, flat = x.reshape({12}), middle = x.rows(1, 2), range = x.flat_range(5, 4, {2, 2});
    CHECK(!x.unique());
    for (const Tensor& t : {copy, flat, middle, range}) CHECK(t.shares_storage(x));
    CHECK(middle.shape() == Shape{2, 3});
    CHECK(close(middle, {3, 4, 5, 6, 7, 8}, 0));
    CHECK(close(range, {5, 6, 7, 8}, 0));
    CHECK(close(middle.rows(1, 1).reshape({3}), {6, 7, 8}, 0));
    x.data<double>()[6] = -1;
    CHECK(close(middle, {3, 4, 5, -1, 7, 8}, 0));
    CHECK(close(range, {5, -1, 7, 8}, 0));
    CHECK(x.rows(4, 0).elements() == 0);
    CHECK(middle.clone().unique());
    CHECK(close(middle.clone(), middle, 0));
  }

  TEST_CASE("tensor: a slice keeps the block alive") {
    Tensor middle;
    {
      const Tensor x = counting({100, 3});
      middle = x.rows(50, 1);
      CHECK(!middle.unique());
    }
    CHECK(middle.unique());
    const Tensor other = counting({100, 3});
    CHECK(close(middle, {150, 151, 152}, 0));
  }

  TEST_CASE("tensor: conversion of dtypes") {
    const Tensor x = Tensor::of({5}, std::vector{0.1, -3.0, 1e-3, 65.25, 100.0});
    CHECK(x.to(DType::f64).shares_storage(x));
    const Tensor single = x.to(DType::f32);
    CHECK(single.dtype() == DType::f32);
    CHECK(single.data<float>()[0] == 0.1F);
    CHECK(close(x.to(DType::bf16), x, 4e-3));
    CHECK(close(x.to(DType::bf16).to(DType::f32).to(DType::bf16), x.to(DType::bf16), 0));
    CHECK(Tensor::of({2}, std::vector{1 + 0x1p-8, 1 + 3 * 0x1p-8}).to(DType::bf16).to_vector() ==
          std::vector{1.0, 1 + 0x1p-6});  // ties go to even
    CHECK(counting({5}).to(DType::i32).to_integers() == std::vector<std::int64_t>{0, 1, 2, 3, 4});
    CHECK(close(counting({200}, DType::u8), counting({200}), 0));
    const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> special =
        Tensor::of({2}, std::vector{infinity, nan}).to(DType::f32).to(DType::bf16).to_vector();
    CHECK(special[0] == infinity);
    CHECK(special[1] != special[1]);
  }

  TEST_CASE("tensor: copies between devices and dtypes") {
    const Device guarded = use_guarded_device();
    const Tensor x = normal_input({5, 7}, "copy");
    const Tensor there = x.to(guarded);
    CHECK(there.device() == guarded);
    CHECK(there.to(guarded).shares_storage(there));
    CHECK(identical(there.to(Device::cpu()), x));
    CHECK(identical(there.to(DType::f32).to(Device::cpu()), x.to(DType::f32)));
    CHECK(identical(there.rows(2, 2).to(Device::cpu()), x.rows(2, 2)));
    CHECK(there.rows(2, 2).flat_range(3, 1, {}).item() == x.to_vector()[17]);

    const Tensor single({5, 7}, DType::f32, guarded), wide({5, 7}, DType::f64);
    single.copy_from(x);
    CHECK(identical(single.to(Device::cpu()), x.to(DType::f32)));
    wide.copy_from(single);
    CHECK(identical(wide, x.to(DType::f32).to(DType::f64)));
    there.rows(0, 1).copy_from(Tensor::full({1, 7}, 4));
    CHECK(close(there.rows(0, 2).flat_range(6, 2, {2}), {4, x.to_vector()[7]}, 0));
    CHECK(close(counting({3}, DType::i64, guarded), {0, 1, 2}, 0));
    CHECK(Tensor({0}, DType::f32, guarded).to(Device::cpu()).elements() == 0);
  }

  TEST_CASE("tensor: raw bytes to and from the host") {
    for (const Device device : {Device::cpu(), use_guarded_device()}) {
      const Tensor x({3}, DType::i32, device);
      const std::int32_t in[] = {5, -6, 7};
      std::int32_t out[3] = {};
      x.from_host(in);
      x.to_host(out);
      CHECK(std::memcmp(in, out, sizeof in) == 0);
    }
  }

  TEST_CASE("tensor: mistakes are named with both shapes") {
    const Tensor x = counting({4, 3});
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.reshape({5, 2}); }),
                   {"reshape", "[4, 3]", "12", "[5, 2]", "10"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.rows(3, 2); }), {"rows", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.rows(-1, 2); }), {"rows", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Tensor::full({}, 1).rows(0, 1); }), {"rows", "[]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.flat_range(10, 4, {4}); }), {"flat_range", "[4]", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.flat_range(0, 4, {5}); }), {"flat_range", "[5]", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.copy_from(counting({3, 4})); }), {"copy", "[3, 4]", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.item(); }), {"item", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Tensor::of({2, 2}, std::vector{1.0}); }), {"1 value", "[2, 2]"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { x.data<float>(); }), {"f64", "f32"}));
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.rows(huge, 1); }), {"rows", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.rows(1, huge); }), {"rows", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.flat_range(huge, 1, {1}); }), {"flat_range", "[4, 3]"}));
  }

  TEST_CASE("tensor: undefined tensors are refused") {
    const Tensor none;
    double value = 0;
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.clone(); }), {"clone", "undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.to(DType::f64); }), {"undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.to(use_guarded_device()); }), {"undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.item(); }), {"undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.to_integers(); }), {"undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.to_host(&value); }), {"undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { none.from_host(&value); }), {"undefined"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { Tensor::zeros({}).copy_from(none); }), {"copy", "undefined"}));
  }
}
