#include "autograd/parameter.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/guarded_device.h"
#include "support/initializers.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

// Declared out of the order of roles.
struct Model {
  ParameterStore store;
  Parameter gates, weight, bias, second, empty;
  explicit Model(bool with_second = true) {
    gates = store.declare("resweight", {3}, Role::residual_weight, normal());
    weight = store.declare("linear.weight", {5, 7}, Role::weight, normal());
    bias = store.declare("linear.bias", {5}, Role::bias, normal());
    if (with_second) second = store.declare("second.weight", {16}, Role::weight, normal());
    empty = store.declare("empty", {0, 4}, Role::bias, normal());
  }
};

std::vector<ParameterStore::Range> ranges(const ParameterStore& store, std::string_view prefix) {
  std::vector<ParameterStore::Range> list;
  store.each_range(prefix, [&](const ParameterStore::Range& range) { list.push_back(range); });
  return list;
}

}  // namespace

TEST_SUITE("autograd/parameter") {
  TEST_CASE("parameters: names, roles and shapes are those declared") {
    Model m;
    m.store.build(1);
    CHECK(m.store.size() == 5);
    CHECK(m.store.scalars() == 3 + 35 + 5 + 16);
    CHECK(m.store.find("linear.weight").index() == 1);
    CHECK_FALSE(m.store.find("linear").defined());
    CHECK(m.store[3].name() == "second.weight");
    CHECK(m.weight.role() == Role::weight);
    CHECK(m.weight.shape() == Shape{5, 7});
    CHECK(m.weight.value().shape() == Shape{5, 7});
    CHECK(m.empty.value().shape() == Shape{0, 4});
    CHECK(m.store.dtype() == DType::f32);
    for (const Role role : all_roles) CHECK(role_named(name(role)) == role);
    CHECK(mentions(message_of(ErrorCode::value, [] { role_named("weights"); }), {"weights", "residual_weight"}));
  }

  TEST_CASE("parameters: each role is one range of the flat buffers, and gaps hold 0") {
    Model m;
    m.store.build(1, DType::f64);
    CHECK(m.store.values(Role::weight).elements() == 48 + 16);
    CHECK(m.store.values(Role::bias).elements() == 16);
    CHECK(m.store.values(Role::residual_weight).elements() == 16);
    CHECK_FALSE(m.store.values(Role::norm).defined());
    CHECK_FALSE(m.store.gradients(Role::embedding).defined());
    CHECK(m.store.values().elements() == 96);
    for (const Role role : {Role::weight, Role::bias, Role::residual_weight})
      CHECK(m.store.values(role).shares_storage(m.store.values()));
    const std::vector<double> flat = m.store.values(Role::weight).to_vector(), own = m.weight.value().to_vector();
    CHECK(std::equal(own.begin(), own.end(), flat.begin()));
    for (std::size_t gap = 35; gap < 48; ++gap) CHECK(flat[gap] == 0);
    // A parameter's value and gradient share the buffers.
    ops::fill(m.second.value(), 4);
    CHECK(m.store.values(Role::weight).to_vector()[48] == 4);
    ops::fill(m.gates.gradient(), 5);
    CHECK(m.store.gradients(Role::residual_weight).to_vector()[2] == 5);
    CHECK(m.store.gradients(Role::residual_weight).to_vector()[3] == 0);
  }

  TEST_CASE("parameters: ranges are cut where names begin or cease to begin with a prefix, and hold everything once") {
    Model m;
    m.store.build(1, DType::f64);
    CHECK(ranges(m.store, "").size() == 3);  // the roles that have numbers
    for (const std::string_view prefix : {"", "linear", "linear.weight", "second", "nothing"}) {
      std::int64_t end = 0;
      for (const ParameterStore::Range& range : ranges(m.store, prefix)) {
        CHECK(range.first == end);
        CHECK(range.count > 0);
        end += range.count;
        for (const Parameter& p : {m.gates, m.weight, m.bias, m.second}) {
          if (!m.store.holds(range, p)) continue;
          CHECK(p.role() == range.role);
          CHECK(p.name().starts_with(prefix) == range.matches);
        }
      }
      CHECK(end == m.store.values().elements());
    }
    const auto cut = ranges(m.store, "linear.weight");
    CHECK(cut.size() == 4);
    CHECK(m.store.values(cut[0]).elements() == 48);
    CHECK_FALSE(m.store.holds(cut[0], m.second));
  }

  TEST_CASE("parameters: adding one, or another order, does not change the others' start; the seed and the name do") {
    Model with, without(false), other;
    with.store.build(1);
    without.store.build(1);
    other.store.build(2);
    for (const char* name : {"resweight", "linear.weight", "linear.bias"}) {
      CHECK(identical(with.store.find(name).value(), without.store.find(name).value()));
      CHECK_FALSE(identical(with.store.find(name).value(), other.store.find(name).value()).holds);
    }
    ParameterStore reversed;
    reversed.declare("linear.bias", {5}, Role::bias, normal());
    reversed.declare("linear.weight", {5, 7}, Role::weight, normal());
    reversed.build(1);
    CHECK(identical(reversed.find("linear.weight").value(), with.weight.value()));
    CHECK(with.bias.value().to_vector()[0] != with.weight.value().to_vector()[0]);
  }

  TEST_CASE("parameters: f32 holds the rounded values of f64, and devices the same bits") {
    Model wide, narrow, device;
    wide.store.build(1, DType::f64);
    narrow.store.build(1, DType::f32);
    device.store.build(1, DType::f32, use_guarded_device());
    CHECK(identical(wide.store.values().to(DType::f32), narrow.store.values()));
    CHECK(identical(device.store.values(), narrow.store.values()));
    CHECK(device.store.device() == use_guarded_device());
  }

  TEST_CASE("parameters: to() converts values, and drops gradients and slots") {
    Model m;
    m.store.build(1, DType::f32);
    const Tensor before = m.store.values().clone();
    ops::fill(m.store.gradients(), 3);
    ops::fill(m.store.slot("momentum"), 3);
    m.store.to(DType::f64);
    CHECK(m.store.dtype() == DType::f64);
    CHECK(identical(m.weight.value().to(DType::f32), before.flat_range(0, 35, {5, 7})));
    CHECK(m.store.slot_names().empty());
    CHECK(close(m.store.gradients(), std::vector<double>(96, 0), 0));
    m.store.to(use_guarded_device());
    CHECK(identical(m.store.values(), before.to(DType::f64)));
    CHECK(m.weight.gradient().device() == use_guarded_device());
    m.store.to(Device::cpu());
    m.store.to(DType::f32);
    CHECK(identical(m.store.values(), before));
  }

  TEST_CASE("parameters: slots are flat buffers beside the values, 0 at the start") {
    Model m;
    m.store.build(1);
    CHECK(close(m.store.slot("momentum"), std::vector<double>(96, 0), 0));
    m.store.each_range("", [&](const ParameterStore::Range& range) {
      if (range.role == Role::bias) ops::fill(m.store.slot("momentum", range), 2);
    });
    ops::fill(m.store.slot("momentum", m.gates), 3);
    CHECK(close(m.store.slot("momentum", m.bias), std::vector<double>(5, 2), 0));
    CHECK(close(m.store.slot("momentum", m.weight), std::vector<double>(35, 0), 0));
    CHECK(m.store.slot("momentum").to_vector()[80] == 3);
    m.store.slot("sum");
    CHECK(m.store.slot_names() == std::vector<std::string>{"momentum", "sum"});
  }

  TEST_CASE("parameters: a name declared twice and a late declaration are refused by name") {
    Model m;
    const auto declare = [&](const char* name) { m.store.declare(name, {1}, Role::bias, normal()); };
    CHECK(mentions(message_of(ErrorCode::value, [&] { declare("linear.bias"); }), {"linear.bias", "twice"}));
    CHECK(m.store.size() == 5);
    m.store.build(1);
    CHECK(mentions(message_of(ErrorCode::value, [&] { declare("late"); }), {"late", "after build"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { m.store.build(1); }), {"build() was called twice"}));
  }

  TEST_CASE("parameters: constants without a tape, and one leaf however often they are used with one") {
    Model m;
    m.store.build(1, DType::f64);
    CHECK_FALSE(m.weight.variable().recorded());
    Tape tape;
    const Variable a = m.weight, b = m.weight;
    CHECK(a.recorded());
    CHECK(tape.size() == 1);
    tape.backward(sum(multiply(a, b)));
    CHECK(close(m.weight.gradient(), ops::scale(2, m.weight.value()), 1e-15));
  }

  TEST_CASE("parameters: rows are views; their gradient is written to their rows, and those of no rows are 0") {
    for (const Device device : {Device::cpu(), use_guarded_device()}) {
      CAPTURE(device.text());
      Model m;
      m.store.build(1, DType::f64, device);
      CHECK_FALSE(m.weight.rows(1, 2).recorded());
      CHECK(m.weight.rows(1, 2).value().shares_storage(m.store.values()));
      ops::fill(m.store.gradients(), 7);
      const auto backward = [&](bool accumulate) {  // 3 of row 0, 2 w of rows 3 and 4, 0 of the others
        Tape tape;
        const Variable first = m.weight.rows(0, 1), last = m.weight.rows(3, 2);
        tape.backward(add(scale(3, sum(first)), sum(square(last))), accumulate);
        CHECK(tape.gradient(last).shape() == Shape{2, 7});
      };
      const std::vector<double> w = m.weight.value().to_vector();
      std::vector<double> expected(35, 0);
      for (std::size_t i = 0; i < 7; ++i) expected[i] = 3;
      for (std::size_t i = 21; i < 35; ++i) expected[i] = 2 * w[i];
      backward(false);
      CHECK(close(m.weight.gradient(), expected, 1e-15));
      CHECK(close(m.bias.gradient(), std::vector<double>(5, 0), 0));
      backward(true);
      for (double& e : expected) e *= 2;
      CHECK(close(m.weight.gradient(), expected, 1e-15));
    }
  }

  TEST_CASE("parameters: rows beside the whole, in checkpoints, and where parameters are constants") {
    Model m;
    m.store.build(1, DType::f64);
    const Variable x(Tensor::full({1, 7}, 1, DType::f64));
    std::vector<double> expected(35, 1);
    for (std::size_t i = 7; i < 21; ++i) expected[i] = 3;  // rows 1 and 2 twice, by themselves and in the whole
    for (const bool rows_last : {false, true}) {
      Tape tape;
      const auto of_rows = [&](const Variable& v) { return scale(2, sum(linear(v, m.weight.rows(1, 2), Variable()))); };
      const Variable y = rows_last ? add(sum(m.weight), checkpoint(of_rows, x)) : add(of_rows(x), sum(m.weight));
      tape.backward(y);
      CHECK(close(m.weight.gradient(), expected, 1e-15));
    }
    Tape leaves{Tape::LeavesOnly{}};
    CHECK_FALSE(m.weight.rows(1, 2).recorded());
    CHECK(mentions(message_of(ErrorCode::shape, [&] { m.weight.rows(4, 2); }), {"2 rows from 4", "[5, 7]"}));
  }

  TEST_CASE("parameters: rows have their rows of the tangent") {
    Model m;
    m.store.build(1, DType::f64);
    const Tensor direction = normal_input(m.store.values().shape(), "direction");
    m.store.set_tangent(direction);
    CHECK(identical(m.weight.rows(1, 2).tangent()->value(), direction.flat_range(7, 14, {1, 2, 7})));
    Tape tape;
    CHECK(identical(m.weight.rows(1, 2).tangent()->value(), direction.flat_range(7, 14, {1, 2, 7})));
  }
}
