#include "tools/isometry/convolution.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <mutex>
#include <numbers>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/tape.h"
#include "core/error.h"
#include "core/linalg.h"
#include "core/parallel.h"

namespace rz::isometry {
namespace {

using Complex = std::complex<double>;

constexpr double equal_norms = 1e-12;  // relative difference

// exp(2 pi i m / n) for m = 0 ... n - 1; the real ones are exact, so that A is real where it ought to be.
std::vector<Complex> roots_of_unity(std::int64_t n) {
  std::vector<Complex> roots;
  for (std::int64_t m = 0; m < n; ++m) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(m) / static_cast<double>(n);
    roots.push_back(m == 0 ? Complex(1) : 2 * m == n ? Complex(-1) : std::polar(1.0, angle));
  }
  return roots;
}

std::int64_t modulo(std::int64_t a, std::int64_t n) { return (a % n + n) % n; }

// One of each pair (u, v), (-u, -v).
std::vector<Frequency> half_of_frequencies(std::int64_t height, std::int64_t width) {
  std::vector<Frequency> half;
  for (std::int64_t u = 0; 2 * u <= height; ++u) {
    const bool own_opposite = u == 0 || 2 * u == height;
    for (std::int64_t v = own_opposite ? 0 : -((width - 1) / 2); 2 * v <= width; ++v) half.push_back({u, v});
  }
  return half;
}

// A kernel on images of one size.
class Symbols {
 public:
  Symbols(const Tensor& weight, std::int64_t height, std::int64_t width)
      : weight_(weight),
        out_(weight.shape()[0]),
        in_(weight.shape()[1]),
        height_(height),
        width_(width),
        rows_(roots_of_unity(height)),
        columns_(roots_of_unity(width)) {}

  bool own_opposite(const Frequency& f) const {
    return modulo(2 * f.down, height_) == 0 && modulo(2 * f.across, width_) == 0;
  }

  // A(u, v) where it is real, else [[Re A, -Im A], [Im A, Re A]], which has its singular values twice.
  Tensor matrix(const Frequency& f) const {
    const std::vector<Complex> waves = waves_at(f);
    const bool real = std::all_of(waves.begin(), waves.end(), [](const Complex& w) { return w.imag() == 0; });
    const std::int64_t columns = real ? in_ : 2 * in_;
    Tensor a({real ? out_ : 2 * out_, columns}, DType::f64);
    double* const to = a.data<double>();
    const double* kernel = weight_.data<double>();
    for (std::int64_t o = 0; o < out_; ++o) {
      for (std::int64_t c = 0; c < in_; ++c) {
        Complex sum = 0;
        for (const Complex& wave : waves) sum += *kernel++ * wave;
        to[o * columns + c] = sum.real();
        if (real) continue;
        to[(o + out_) * columns + c + in_] = sum.real();
        to[o * columns + c + in_] = -sum.imag();
        to[(o + out_) * columns + c] = sum.imag();
      }
    }
    return a;
  }

 private:
  // The wave at each position of the kernel, counted from its centre: another origin changes a phase, but from there A
  // is real for kernels that are 0 elsewhere.
  std::vector<Complex> waves_at(const Frequency& f) const {
    const std::int64_t kernel_height = weight_.shape()[2], kernel_width = weight_.shape()[3];
    std::vector<Complex> waves;
    for (std::int64_t k = 0; k < kernel_height; ++k) {
      const Complex row = rows_[static_cast<std::size_t>(modulo(f.down * (k - kernel_height / 2), height_))];
      for (std::int64_t l = 0; l < kernel_width; ++l)
        waves.push_back(row * columns_[static_cast<std::size_t>(modulo(f.across * (l - kernel_width / 2), width_))]);
    }
    return waves;
  }

  const Tensor& weight_;
  std::int64_t out_, in_, height_, width_;
  std::vector<Complex> rows_, columns_;
};

// Of one frequency: the values of A once.
SampleSpectrum values_at(const Symbols& symbols, const Frequency& f, std::int64_t count) {
  SampleSpectrum all = spectrum(symbols.matrix(f), "the transform of the kernel");
  const auto wanted = static_cast<std::size_t>(count);
  if (all.singular_values.size() == wanted) return all;
  for (std::size_t i = 0; i < wanted; ++i) all.singular_values[i] = all.singular_values[2 * i];
  all.singular_values.resize(wanted);
  all.exact_zeros /= 2;
  return all;
}

// Those of pairs of frequencies count twice.
SampleSpectrum joined(const std::vector<SampleSpectrum>& parts, const std::vector<int>& times) {
  SampleSpectrum all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (int k = 0; k < times[i]; ++k)
      all.singular_values.insert(all.singular_values.end(), parts[i].singular_values.begin(),
                                 parts[i].singular_values.end());
    all.exact_zeros += times[i] * parts[i].exact_zeros;
    all.floor = std::max(all.floor, parts[i].floor);
  }
  std::sort(all.singular_values.begin(), all.singular_values.end(), std::greater<>());
  for (const double sigma : all.singular_values) all.log10_singular_values.push_back(std::log10(sigma));
  all.resolved = std::count_if(all.singular_values.begin(), all.singular_values.end(),
                               [&](double sigma) { return sigma > all.floor; });
  return all;
}

void check_kernel(const Tensor& weight, std::int64_t height, std::int64_t width) {
  const Shape& shape = weight.shape();
  RZ_CHECK(shape, weight.defined() && shape.rank() == 4 && shape.elements() > 0,
           "convolution: weight {} must be [out, in, kernel height, kernel width]", shape);
  RZ_CHECK(dtype, is_real(weight.dtype()), "convolution: weight {} is {}, but must be f32 or f64", shape,
           weight.dtype());
  RZ_CHECK(shape, height >= 1 && width >= 1,
           "convolution: images of {} x {} pixels were given, but both must be at least 1", height, width);
}

void check_memory(std::int64_t values_at_a_frequency, std::int64_t height, std::int64_t width, std::int64_t memory) {
  // Twice as they are found, then as values and logarithms; as double, since any size may be asked for.
  const double bytes =
      8 * 4 * static_cast<double>(values_at_a_frequency) * static_cast<double>(height) * static_cast<double>(width);
  if (bytes <= static_cast<double>(memory)) return;
  const std::int64_t least = bytes < 0x1p62 ? static_cast<std::int64_t>(bytes) : std::int64_t{1} << 62;
  throw BudgetError("convolution: its singular values take more than the budget", least);
}

}  // namespace

ConvolutionSpectrum convolution_spectrum(const Tensor& weight, std::int64_t height, std::int64_t width,
                                         const ConvolutionOptions& options) {
  check_kernel(weight, height, width);
  const Tensor kernel = weight.to(Device::cpu()).to(DType::f64);
  const Shape& shape = kernel.shape();
  check_finite(kernel.reshape({shape[0], shape.elements() / shape[0]}), "convolution", "weight");
  const std::int64_t count = std::min(shape[0], shape[1]);
  check_memory(count, height, width, options.memory);

  const Symbols symbols(kernel, height, width);
  const std::vector<Frequency> frequencies = half_of_frequencies(height, width);
  std::vector<SampleSpectrum> parts(frequencies.size());
  std::mutex mutex;
  std::size_t done = 0;
  parallel_for(std::ssize(frequencies), [&](std::int64_t piece) {
    const auto i = static_cast<std::size_t>(piece);
    parts[i] = values_at(symbols, frequencies[i], count);
    const std::lock_guard lock(mutex);
    options.progress(static_cast<double>(++done) / static_cast<double>(frequencies.size()));
  });

  std::vector<int> times;
  for (const Frequency& f : frequencies) times.push_back(symbols.own_opposite(f) ? 1 : 2);
  ConvolutionSpectrum result{
      .out = shape[0], .in = shape[1], .height = height, .width = width, .values = joined(parts, times)};
  const auto largest = std::find_if(parts.begin(), parts.end(), [&](const SampleSpectrum& part) {
    return part.singular_values.front() >= (1 - equal_norms) * result.norm();
  });
  result.largest = frequencies[static_cast<std::size_t>(largest - parts.begin())];
  return result;
}

namespace {

// Looks for the convolution with a kernel among the operations of a tape.
class KernelWatch : public TapeWatch {
 public:
  explicit KernelWatch(const Parameter& kernel) : kernel_(kernel.value()) {}
  void forward(std::size_t, const OperationName& name, std::span<const Variable* const> inputs,
               const Tensor& y) override {
    if (use || std::string_view(name.text) != "conv2d") return;
    if (inputs[1]->value().operand().data != kernel_.operand().data) return;
    const Shape& x = inputs[0]->shape();
    use = {.height = x[1], .width = x[2], .out_height = y.shape()[1], .out_width = y.shape()[2]};
  }
  void backward(std::size_t, const Tensor&, std::span<const Tensor>) override {}

  std::optional<ConvolutionUse> use;

 private:
  Tensor kernel_;
};

}  // namespace

std::optional<ConvolutionUse> use_of_kernel(const nn::Model& model, const Parameter& kernel) {
  const Tensor x = Tensor::zeros(model.input_shape().prepended(1), model.input_type(), model.parameters().device());
  KernelWatch watch(kernel);
  Tape tape;  // parameters are on it: their operations are seen
  model.forward(Variable(x));
  return watch.use;
}

}  // namespace rz::isometry
