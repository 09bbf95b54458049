// The checks that every row of the operation table passes.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "autograd/gradcheck.h"
#include "autograd/record.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/forwarding_backend.h"
#include "support/guarded_device.h"
#include "support/inputs.h"
#include "support/op_table.h"

using namespace rz;
using namespace rz::test;

namespace {

const std::vector<OpRow>& table() {
  static const std::vector<OpRow> rows = [] {
    std::vector<OpRow> all;
    for (const auto family :
         {elementwise_rows, linear_rows, reduce_rows, shape_rows, softmax_rows, norm_rows, convolution_rows,
          batch_norm_rows, dropout_rows, attention_rows, residual_rows, checkpoint_rows})
      std::ranges::move(family(), std::back_inserter(all));
    return all;
  }();
  return rows;
}

// Numbers in [-2, 2) from a name. Normal ones would take most of the time of these tests.
Tensor noise(const Shape& shape, const std::string& name, DType dtype = DType::f64, Device device = {}) {
  std::uint64_t state = stream_named(name) ^ seed();
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& v : values) {  // xorshift
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    v = 0x1p-62 * static_cast<double>(state) - 2;
  }
  return Tensor::of(shape, values, dtype, device);
}

Tensor input_of(const OpRow& row, const Shape& shape, std::size_t index) {
  std::vector<double> values = noise(shape, row.name() + std::to_string(index)).to_vector();
  for (double& v : values) {
    if (row.positive) v = 0.5 + std::fabs(v);
    for (const double kink : row.kinks)
      if (std::fabs(v - kink) < 0.05) v = kink + (v < kink ? -0.05 : 0.05);
  }
  return Tensor::of(shape, values);
}

std::vector<Tensor> inputs_of(const OpRow& row, const std::vector<Shape>& shapes) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) inputs.push_back(input_of(row, shapes[i], i));
  return inputs;
}

// Value, gradients of all inputs and two tangents, brought to the CPU.
std::vector<Tensor> results(const OpRow& row, const std::vector<Tensor>& f64_inputs, DType dtype, Device device) {
  std::vector<Tensor> inputs, found;
  for (const Tensor& x : f64_inputs) inputs.push_back(x.to(dtype).to(device));
  {
    Tape tape;
    std::vector<Variable> x;
    for (const Tensor& input : inputs) x.push_back(tape.leaf(input));
    const Variable y = row.call(x);
    CHECK(y.recorded());
    found.push_back(y.value().to(Device::cpu()));
    tape.backward(y, noise(y.shape(), "d_y", dtype, device));
    for (const Variable& leaf : x) found.push_back(tape.gradient(leaf).to(Device::cpu()));
  }
  std::vector<Variable> x;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    x.push_back(Variable(inputs[i]).with_tangent(
        noise(inputs[i].shape().prepended(2), "tangent" + std::to_string(i), dtype, device)));
  const Variable y = row.call(x);
  if (y.tangent()) found.push_back(y.tangent()->value().to(Device::cpu()));
  return found;
}

// Whether two lists of results agree: bit for bit, or within a tolerance relative to the largest element.
void compare(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance = -1) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    if (tolerance < 0) {
      CHECK(identical(a[i], b[i]));
      continue;
    }
    double largest = 1;
    for (const double v : b[i].to_vector()) largest = std::max(largest, std::fabs(v));
    CHECK(close(a[i], b[i], tolerance * largest));
  }
}

class Threads {  // restores their number
 public:
  Threads() : before_(threads()) {}
  ~Threads() { set_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// Fused functions by their default bodies, everything else by the CPU's kernels.
class DefaultBodies final : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void linear(const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y,
              Workspace& w) override {
    Backend::linear(x, weight, bias, f, y, w);
  }
  void residual_add(const Operand& x, const Operand& f, const Operand& gates, std::int64_t index, const Target& y,
                    Workspace& w) override {
    Backend::residual_add(x, f, gates, index, y, w);
  }
  void residual_add_vjp(const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y,
                        const Target& d_f, const Target& d_gates, Workspace& w) override {
    Backend::residual_add_vjp(f, gates, index, d_y, d_f, d_gates, w);
  }
  void attention(const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w) override {
    Backend::attention(a, y, log_sum_exp, w);
  }
  void attention_vjp(const Attention& a, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                     const AttentionGradients& d, Workspace& w) override {
    Backend::attention_vjp(a, y, log_sum_exp, d_y, d, w);
  }
  void conv2d(const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w) override {
    Backend::conv2d(x, weight, window, y, w);
  }
  void conv2d_vjp(const Operand& x, const Operand& weight, const Window& window, const Operand& d_y, const Target& d_x,
                  const Target& d_weight, Workspace& w) override {
    Backend::conv2d_vjp(x, weight, window, d_y, d_x, d_weight, w);
  }
  void batch_norm(const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
                  const Target& y, const Target& mean, const Target& variance, Workspace& w) override {
    Backend::batch_norm(x, gain, bias, options, y, mean, variance, w);
  }
  void batch_norm_vjp(const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean,
                      const Operand& variance, const BatchNormOptions& options, const Operand& d_y, const Target& d_x,
                      const Target& d_gain, const Target& d_bias, Workspace& w) override {
    Backend::batch_norm_vjp(x, gain, bias, mean, variance, options, d_y, d_x, d_gain, d_bias, w);
  }
  Shape residual_stack_kept(std::int64_t rows, std::int64_t width, std::int64_t layers, DType type) const override {
    return Backend::residual_stack_kept(rows, width, layers, type);
  }
  void residual_stack(const Operand& x, const ResidualStack& stack, const Target& y, const Target& kept,
                      Workspace& w) override {
    Backend::residual_stack(x, stack, y, kept, w);
  }
  void residual_stack_vjp(const ResidualStack& stack, const Operand& kept, const Operand& d_y,
                          const ResidualStackGradients& d, Workspace& w) override {
    Backend::residual_stack_vjp(stack, kept, d_y, d, w);
  }
  void residual_stack_jvp(const Operand& x, const ResidualStack& stack, const Operand& t_x, const Target& y,
                          const Target& t_y, Workspace& w) override {
    Backend::residual_stack_jvp(x, stack, t_x, y, t_y, w);
  }
};

// The first argument of every record("...") and record({"...", in the sources of a folder.
std::set<std::string> recorded_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(RZ_TEST_SOURCE_DIR "/../" + folder)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream stream(entry.path());
    std::string source((std::istreambuf_iterator<char>(stream)), {});
    std::erase_if(source, [](char c) { return c == ' ' || c == '\n' || c == '{'; });  // however it is laid out
    const std::string_view call = "record(\"";
    for (std::size_t at = source.find(call); at != std::string::npos; at = source.find(call, at)) {
      at += call.size();
      names.insert(source.substr(at, source.find('"', at) - at));
    }
  }
  return names;
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Prints ns per element of the inputs for value and gradients, each the best of several runs.
void time_row(const OpRow& row, DType dtype) {
  std::vector<Tensor> inputs;
  std::int64_t elements = 0;
  for (const Tensor& x : inputs_of(row, row.large)) inputs.push_back(x.to(dtype));
  for (const Tensor& x : inputs) elements += x.elements();
  double value = HUGE_VAL, gradient = HUGE_VAL;
  const double end = seconds() + 0.05;
  for (int run = 0; run < 5 || seconds() < end; ++run) {
    Tape tape;
    std::vector<Variable> x;
    for (const Tensor& input : inputs) x.push_back(tape.leaf(input));
    const double start = seconds();
    const Variable y = row.call(x);
    const double middle = seconds();
    const Tensor d_y = Tensor::full(y.shape(), 1, dtype);
    const double last = seconds();
    tape.backward(y, d_y);
    value = std::min(value, middle - start);
    gradient = std::min(gradient, seconds() - last);
  }
  const double n = 1e9 / static_cast<double>(elements);
  std::printf("%-60s %s  value %9.3f  gradients %9.3f ns per element\n", row.name().c_str(),
              std::string(name(dtype)).c_str(), n * value, n * gradient);
}

}  // namespace

TEST_SUITE("autograd/table") {
  TEST_CASE("table: derivatives of both modes, and reverse over forward, against differences") {
    for (const OpRow& row : table()) {
      INFO(row.name());
      const GradcheckReport report = gradcheck(row.call, inputs_of(row, row.small),
                                               {.tolerance = row.tolerance, .second_order = row.second_order});
      CHECK_MESSAGE(report.passed, report.message);
    }
  }

  TEST_CASE("table: the guarded device gives the CPU's bits") {
    const Device guarded = use_guarded_device();
    for (const OpRow& row : table()) {
      for (const DType dtype : real_types) {
        INFO(row.name() << " in " << name(dtype));
        const std::vector<Tensor> inputs = inputs_of(row, row.small);
        compare(results(row, inputs, dtype, guarded), results(row, inputs, dtype, Device::cpu()));
      }
    }
  }

  TEST_CASE("table: 3 threads give the bits of 1 [threads]") {
    const Threads restore;
    for (const OpRow& row : table()) {
      if (row.large.empty()) continue;
      const std::vector<Tensor> inputs = inputs_of(row, row.large);
      for (const DType dtype : real_types) {
        INFO(row.name() << " in " << name(dtype));
        set_threads(1);
        const std::vector<Tensor> one = results(row, inputs, dtype, Device::cpu());
        set_threads(3);
        compare(results(row, inputs, dtype, Device::cpu()), one);
      }
    }
  }

  TEST_CASE("table: fused functions agree with their default bodies") {
    const Device device{DeviceKind::guarded, 1};
    register_backend(device, std::make_unique<DefaultBodies>(device));
    for (const OpRow& row : table()) {
      if (!row.fused) continue;
      for (const std::vector<Shape>& shapes : {row.small, row.large}) {
        if (shapes.empty()) continue;
        const std::vector<Tensor> inputs = inputs_of(row, shapes);
        for (const DType dtype : real_types) {
          INFO(row.name() << " in " << name(dtype));
          compare(results(row, inputs, dtype, Device::cpu()), results(row, inputs, dtype, device),
                  row.fused_tolerance * (dtype == DType::f32 ? 1e-5 : 1e-12));
        }
      }
    }
  }

  TEST_CASE("table: every operation has a row, every row its operation, and no two rows one name") {
    std::set<std::string> operations, names;
    for (const OpRow& row : table()) {
      operations.insert(row.operation);
      CHECK_MESSAGE(names.insert(row.name()).second, row.name());
      results(row, inputs_of(row, row.small), DType::f64, Device::cpu());
    }
    std::set<std::string> recorded = recorded_in("autograd");
    CHECK(recorded.contains("linear"));
    for (const char* folder : {"nn", "optim", "tools"}) recorded.merge(recorded_in(folder));
    for (const std::string_view name : recorded_names()) recorded.emplace(name);
    for (const std::string& name : recorded)
      CHECK_MESSAGE(operations.contains(name), name << " is recorded, but has no row");
    for (const std::string& name : operations)
      CHECK_MESSAGE(recorded.contains(name), name << " has a row, but is recorded nowhere");
  }

  TEST_CASE("table: speed, printed when REZERO_SPEED is set") {
    if (!std::getenv("REZERO_SPEED")) return;
    for (const OpRow& row : table())
      for (const DType dtype : real_types)
        if (!row.large.empty()) time_row(row, dtype);
  }
}
