#include "autograd/gradcheck.h"

#include <cmath>
#include <cstdio>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "core/error.h"
#include "core/ops.h"
#include "core/random.h"

namespace rz {

namespace {

using Matrix = std::vector<std::vector<double>>;  // [outputs][inputs]

class Check {
 public:
  Check(const Functional& f, std::span<const Tensor> inputs, const GradcheckOptions& options)
      : f_(f),
        inputs_(inputs.begin(), inputs.end()),
        options_(options),
        random_(options.seed, stream_named("gradcheck")) {
    report_.passed = true;
  }

  GradcheckReport run() {
    for (const Tensor& input : inputs_)
      RZ_CHECK(dtype, input.dtype() == DType::f64,
               "gradcheck: an input {} is {}, but differences prove something in f64 only", input.shape(),
               input.dtype());
    const Tensor y = value();
    outputs_ = y.elements();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Matrix numeric = differences(i, [&] { return value().to_vector(); });
      compare("vjp", i, reverse(i), numeric, options_.tolerance);
      compare("jvp", i, forward(i), numeric, options_.tolerance);
    }
    const Tensor u = normal_tensor(y.shape(), random_).to(y.device());
    std::vector<Tensor> v;
    for (const Tensor& input : inputs_) v.push_back(normal_tensor(input.shape(), random_).to(input.device()));
    dot_test(u, v);
    if (options_.second_order) second_order(u, v);
    return report_;
  }

 private:
  std::vector<Variable> constants() const { return {inputs_.begin(), inputs_.end()}; }
  Tensor value() const { return f_(constants()).value(); }

  template <class F>
  Matrix differences(std::size_t i, F&& g) {
    const Tensor original = inputs_[i];
    std::vector<double> x = original.to_vector();
    Matrix columns;
    for (std::size_t e = 0; e < x.size(); ++e) {
      const double middle = x[e], h = 6e-6 * std::fmax(1, std::fabs(middle));
      const auto at = [&](double point) {
        x[e] = point;
        inputs_[i] = Tensor::of(original.shape(), x, DType::f64, original.device());
        return g();
      };
      std::vector<double> column = at(middle + h);
      const std::vector<double> low = at(middle - h);
      for (std::size_t o = 0; o < column.size(); ++o) column[o] = (column[o] - low[o]) / (2 * h);
      x[e] = middle;
      columns.push_back(std::move(column));
    }
    inputs_[i] = original;
    return columns;  // [inputs][outputs]
  }

  // The same layout by backward passes with unit vectors.
  Matrix reverse(std::size_t i) const {
    Matrix columns(static_cast<std::size_t>(inputs_[i].elements()),
                   std::vector<double>(static_cast<std::size_t>(outputs_)));
    for (std::int64_t o = 0; o < outputs_; ++o) {
      Tape tape;
      std::vector<Variable> x = constants();
      x[i] = tape.leaf(inputs_[i]);
      const Variable y = f_(x);
      std::vector<double> unit(static_cast<std::size_t>(outputs_), 0.0);
      unit[static_cast<std::size_t>(o)] = 1;
      tape.backward(y, Tensor::of(y.shape(), unit, DType::f64, y.value().device()));
      const std::vector<double> row = tape.gradient(x[i]).to_vector();
      for (std::size_t e = 0; e < row.size(); ++e) columns[e][static_cast<std::size_t>(o)] = row[e];
    }
    return columns;
  }

  Matrix forward(std::size_t i) const {
    const std::int64_t n = inputs_[i].elements();
    std::vector<Variable> x = constants();
    x[i] = x[i].with_tangent(
        Variable(Tensor::identity(n).to(inputs_[i].device()).reshape(inputs_[i].shape().prepended(n))));
    const Variable y = f_(x);
    Matrix columns(static_cast<std::size_t>(n), std::vector<double>(static_cast<std::size_t>(outputs_), 0.0));
    if (!y.tangent()) return columns;
    const std::vector<double> flat = y.tangent()->value().to_vector();
    for (std::size_t e = 0; e < columns.size(); ++e)
      for (std::size_t o = 0; o < columns[e].size(); ++o) columns[e][o] = flat[e * columns[e].size() + o];
    return columns;
  }

  std::vector<Variable> with_tangents(std::vector<Variable> x, const std::vector<Tensor>& v) const {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = x[i].with_tangent(Variable(v[i].reshape(v[i].shape().prepended(1))));
    return x;
  }

  static double dot(const Tensor& a, const Tensor& b) {
    return ops::sum(ops::multiply(a, b.reshape(a.shape()))).item();
  }
  static double norm(const Tensor& a) { return std::sqrt(ops::sum_of_squares(a).item()); }

  void dot_test(const Tensor& u, const std::vector<Tensor>& v) {
    const Variable y = f_(with_tangents(constants(), v));
    const Tensor j_v =
        y.tangent() ? y.tangent()->value().reshape(u.shape()) : Tensor::zeros(u.shape(), DType::f64, u.device());
    Tape tape;
    std::vector<Variable> x;
    for (const Tensor& input : inputs_) x.push_back(tape.leaf(input));
    tape.backward(f_(x), u);
    double right = 0, size = norm(u) * norm(j_v);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor gradient = tape.gradient(x[i]);
      right += dot(gradient, v[i]);
      size += norm(gradient) * norm(v[i]);
    }
    judge(std::fabs(dot(u, j_v) - right), size, options_.dot_tolerance, "<u, J v> and <J^T u, v> differ");
  }

  // d/dx <u, J(x) v> by reverse over forward against differences of <u, J v>.
  void second_order(const Tensor& u, const std::vector<Tensor>& v) {
    const auto product = [&](std::vector<Variable> x) {
      const Variable y = f_(with_tangents(std::move(x), v));
      return y.tangent() ? sum(multiply(*y.tangent(), Variable(u.reshape(u.shape().prepended(1)))))
                         : Variable(Tensor::zeros({}, DType::f64, u.device()));
    };
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      Tape tape;
      std::vector<Variable> x = constants();
      x[i] = tape.leaf(inputs_[i]);
      const Variable s = product(x);
      if (s.recorded()) tape.backward(s);
      const std::vector<double> analytic = tape.gradient(x[i]).to_vector();
      Matrix columns;
      for (const double value : analytic) columns.push_back({value});
      const NoRecording off;
      compare("reverse over forward", i, columns,
              differences(i, [&] { return product(constants()).value().to_vector(); }), 10 * options_.tolerance);
    }
  }

  void compare(const char* rule, std::size_t input, const Matrix& analytic, const Matrix& numeric, double tolerance) {
    double largest = 0;
    for (const auto& column : numeric)
      for (const double value : column) largest = std::fmax(largest, std::fabs(value));
    for (std::size_t e = 0; e < numeric.size(); ++e)
      for (std::size_t o = 0; o < numeric[e].size(); ++o) {
        char where[200];
        std::snprintf(where, sizeof where, "%s: input %zu, element %zu, output %zu: %.12g, by differences %.12g", rule,
                      input, e, o, analytic[e][o], numeric[e][o]);
        judge(std::fabs(analytic[e][o] - numeric[e][o]), std::fmax(largest, 1e-3), tolerance, where);
      }
  }

  void judge(double difference, double size, double tolerance, const char* where) {
    const double relative = difference / std::fmax(size, 1e-300);
    const bool good = difference == 0 || relative <= tolerance;  // NaN is not good
    if (good && relative <= report_.worst) return;
    if (!report_.passed && (good || relative <= report_.worst)) return;
    report_.worst = relative;
    report_.message = where;
    report_.passed = report_.passed && good;
  }

  const Functional& f_;
  std::vector<Tensor> inputs_;
  GradcheckOptions options_;
  Random random_;
  std::int64_t outputs_ = 0;
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(const Functional& f, std::span<const Tensor> inputs, const GradcheckOptions& options) {
  return Check(f, inputs, options).run();
}

}  // namespace rz
