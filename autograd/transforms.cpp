#include "autograd/transforms.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "core/error.h"
#include "core/ops.h"
#include "core/parallel.h"

namespace rz {

namespace {

thread_local bool repeated_rows = false;

class RepeatedRows {
 public:
  RepeatedRows() : before_(repeated_rows) { repeated_rows = true; }
  ~RepeatedRows() { repeated_rows = before_; }

 private:
  bool before_;
};

// Bytes that running f takes at its peak beyond what is in use now.
template <class F>
std::int64_t peak_of(Pool& pool, F&& f) {
  const MemoryStatistics before = pool.statistics();
  pool.reset_peak();
  f();
  const std::int64_t peak = pool.statistics().peak_bytes;
  pool.raise_peak(before.peak_bytes);
  return peak - before.bytes_in_use;
}

// Directions first ... first + count - 1 of the unit vectors of n dimensions, [count, n].
Tensor unit_vectors(std::int64_t n, std::int64_t first, std::int64_t count, DType dtype, Device device) {
  Tensor v = Tensor::zeros({count, n}, DType::f64);
  for (std::int64_t i = 0; i < count; ++i) v.data<double>()[i * n + first + i] = 1;
  return v.to(dtype).to(device);
}

// Runs chunk(first, count) over n directions: the first alone, which shows what a direction costs, then as many at a
// time as the memory allows, and no more than make products large.
template <class F>
void in_chunks(std::int64_t n, std::int64_t memory, Pool& pool, F&& chunk) {
  if (n == 0) return;
  const std::int64_t one = std::max<std::int64_t>(1, peak_of(pool, [&] { chunk(std::int64_t{0}, std::int64_t{1}); }));
  if (one > memory)
    throw BudgetError(fmt::format("jacobian: one direction takes {} bytes, the budget is {}", one, memory), one);
  constexpr std::int64_t enough = 512;
  const std::int64_t most = std::min(memory / one, enough);
  for (std::int64_t first = 1; first < n; first += most) chunk(first, std::min(most, n - first));
}

Tensor forward_jacobian(const Function& f, const Tensor& x, std::int64_t m, const JacobianOptions& options) {
  const std::int64_t n = x.elements();
  const Tensor j({m, n}, x.dtype(), x.device());
  const auto chunk = [&](std::int64_t first, std::int64_t count) {
    const Tensor v = unit_vectors(n, first, count, x.dtype(), x.device()).reshape(x.shape().prepended(count));
    const ValueAndTangent y = jvp(f, x, v);
    const int swapped[] = {1, 0};
    ops::copy_block(ops::permute(y.tangent.reshape({count, m}), swapped), {0, 0}, Destination{j}, {0, first},
                    {m, count});
  };
  // Side by side, a thread takes its directions through all of f without waiting for another after each operation.
  // 64 vectors of the larger side are more than an operation and its operands take.
  constexpr std::int64_t piece = 128, vectors = 64;
  const std::int64_t bytes = vectors * n * std::max(n, m) * static_cast<std::int64_t>(size_of(x.dtype()));
  if (options.concurrent && x.device() == Device::cpu() && n > piece && bytes <= options.memory) {
    parallel_ranges(n, piece, [&](std::int64_t begin, std::int64_t end) { chunk(begin, end - begin); });
  } else {
    in_chunks(n, options.memory, pool(x.device()), chunk);
  }
  return j;
}

Tensor reverse_jacobian(const Function& f, const Tensor& x, std::int64_t m, std::int64_t memory) {
  RZ_CHECK(shape, x.shape().rank() >= 1 && x.shape()[0] == 1, "jacobian: reverse mode needs x [1, ...], but x is {}",
           x.shape());
  const RepeatedRows guard;
  const std::int64_t n = x.elements();
  Tensor j({m, n}, x.dtype(), x.device());
  in_chunks(m, memory, pool(x.device()), [&](std::int64_t first, std::int64_t count) {
    Tape tape{Tape::LeavesOnly{}};
    const Variable rows = tape.leaf(ops::repeat(x.reshape({n}), count).reshape(x.shape().with(0, count)));
    const Variable y = f(rows);
    RZ_CHECK(shape, y.shape().rank() >= 1 && y.shape()[0] == count && y.value().elements() == count * m,
             "jacobian: reverse mode needs y [rows, ...] for x [rows, ...], but {} rows gave {}", count, y.shape());
    tape.backward(y, unit_vectors(m, first, count, x.dtype(), x.device()).reshape(y.shape()));
    j.rows(first, count).copy_from(tape.gradient(rows).reshape({count, n}));
  });
  return j;
}

}  // namespace

bool rows_must_be_independent() { return repeated_rows; }
void require_row_independence(bool independent, const char* operation) {
  RZ_CHECK(value, independent || !repeated_rows,
           "jacobian: {} is active, so rows are not repeats of each other, and reverse mode would be wrong (use "
           "forward mode, or evaluation mode)",
           operation);
}

ValueAndTangent jvp(const Function& f, const Tensor& x, const Tensor& v) {
  const NoRecording off;
  const Variable y = f(Variable(x).with_tangent(Variable(v)));
  const Shape tangent = y.shape().prepended(v.shape()[0]);
  return {y.value(), y.tangent() ? y.tangent()->value() : Tensor::zeros(tangent, y.dtype(), y.value().device())};
}

Tensor vjp(const Function& f, const Tensor& x, const Tensor& u) {
  Tape tape{Tape::LeavesOnly{}};
  const Variable leaf = tape.leaf(x);
  tape.backward(f(leaf), u);
  return tape.gradient(leaf);
}

Tensor jacobian(const Function& f, const Tensor& x, const JacobianOptions& options) {
  std::int64_t m = 0;
  {
    const NoRecording off;
    m = f(Variable(x)).value().elements();
  }
  const bool can_reverse = x.shape().rank() >= 1 && x.shape()[0] == 1;
  const bool forward = options.mode == JacobianMode::forward ||
                       (options.mode == JacobianMode::automatic && (x.elements() <= m || !can_reverse));
  if (forward) return forward_jacobian(f, x, m, options);
  return reverse_jacobian(f, x, m, options.memory);
}

namespace {

void require_scalar(const Variable& y) {
  RZ_CHECK(shape, y.value().elements() == 1, "hessian_vector: the function gave {}, but must give one number",
           y.shape());
}

}  // namespace

GradientAndProduct hessian_vector(const Function& f, const Tensor& x, const Tensor& v) {
  GradientAndProduct result;
  {
    Tape tape{Tape::LeavesOnly{}};
    const Variable leaf = tape.leaf(x), y = f(leaf);
    require_scalar(y);
    tape.backward(y);
    result.gradient = tape.gradient(leaf);
  }
  Tape tape{Tape::LeavesOnly{}};
  const Variable leaf = tape.leaf(x);
  const Variable y = f(leaf.with_tangent(Variable(v.reshape(x.shape().prepended(1)))));
  if (y.tangent()) tape.backward(*y.tangent());
  result.product = tape.gradient(leaf);
  return result;
}

GradientAndProduct hessian_vector(const std::function<Variable()>& loss, ParameterStore& store, const Tensor& v) {
  RZ_CHECK(shape, v.shape() == store.values().shape(),
           "hessian_vector: the direction {} must be flat like the parameters {}", v.shape(), store.values().shape());
  GradientAndProduct result;
  {
    Tape tape;
    const Variable y = loss();
    require_scalar(y);
    tape.backward(y);
    result.gradient = store.gradients().clone();
  }
  struct Reset {
    ParameterStore& store;
    ~Reset() { store.set_tangent(Tensor()); }
  } reset{store};
  store.set_tangent(v);
  Tape tape;
  const Variable y = loss();
  if (y.tangent()) tape.backward(*y.tangent());
  result.product = y.tangent() ? store.gradients().clone() : Tensor::zeros(v.shape(), v.dtype(), v.device());
  return result;
}

double jacobian_vector_norm(const Function& f, const Tensor& x, const Tensor& v) {
  Tape tape;
  const Variable y = f(Variable(x).with_tangent(Variable(v.reshape(x.shape().prepended(1)))));
  const Variable norm =
      y.tangent() ? sum(square(*y.tangent())) : Variable(Tensor::zeros({}, y.dtype(), y.value().device()));
  tape.backward(norm);  // a constant norm too: it sets the parameters' gradients to 0
  return norm.item();
}

// y = f(x) with nothing inside f kept.   d_x and parameters: f is run again on a tape of its own;   t_y: f's own rules
Variable checkpoint(const Function& f, const Variable& x) {
  if (!Tape::active() || x.tangent()) return f(x);
  Tensor value;
  {
    const NoRecording off;
    value = f(x.detached()).value();
  }
  // Recorded even when x is a constant: the parameters inside f want their gradients.
  const Variable input = x.recorded() ? x : Tape::active()->leaf(x.value());
  return record(
      "checkpoint", {input}, std::move(value),
      [f, x = x.value()](const Tensor& d_y, Gradients& d) {
        Tape tape{Tape::Nested{}};
        const Variable leaf = tape.leaf(x), y = f(leaf);
        if (!y.recorded()) return;
        tape.backward(y, d_y);
        d.pass(0, tape.gradient(leaf));
      },
      [](const Primals&, const Tangents&) { return Variable(); });
}

}  // namespace rz
