// Softmax and cross entropy of rows of logits: loss and gradient in one visit of a row. Sums are in f64.
// Limit: one exp per logit.
#include "core/cpu/kernels/lanes.h"
#include "core/cpu/kernels/variant.h"
#include "core/scalar_functions.h"

namespace rz::cpu {
namespace {

template <class T>
T largest_of(const T* x, std::int64_t n) {
  T largest = x[0];
  for (std::int64_t c = 1; c < n; ++c) largest = x[c] > largest ? x[c] : largest;
  return largest;
}

// Sum of e^(x - largest), whose terms go to `kept` unless it is null.
template <class T>
double sum_of_exponentials(const T* x, std::int64_t n, T largest, T* kept) {
  constexpr std::int64_t chunk = 256;
  T buffer[chunk];
  double sum = 0;
  for (std::int64_t first = 0; first < n; first += chunk) {
    const std::int64_t count = first + chunk < n ? chunk : n - first;
    T* const e = kept ? kept + first : buffer;
    RZ_INDEPENDENT
    for (std::int64_t c = 0; c < count; ++c) e[c] = math::exp(x[first + c] - largest);
    sum += sum_lanes(count, [e](const auto& read, std::int64_t i) { return read(e + i); });
  }
  return sum;
}

template <class T>
void put(T* y, std::int64_t i, double value, bool accumulate) {
  y[i] = static_cast<T>(accumulate ? static_cast<double>(y[i]) + value : value);
}

template <class T>
void constant_row(T* d, std::int64_t classes, T value, bool accumulate) {
  for (std::int64_t c = 0; c < classes; ++c) d[c] = accumulate ? d[c] + value : value;
}

// d = softmax(x) - smoothing / classes, without the label's share. If the row is not added to, it holds exp(x -
// largest) already.
template <class T>
void softmax_row(const T* x, T* d, std::int64_t classes, T largest, double sum, double smoothing, bool accumulate) {
  const T scale = static_cast<T>(1 / sum), shift = static_cast<T>(smoothing / static_cast<double>(classes));
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t c = 0; c < classes; ++c) d[c] += math::exp(x[c] - largest) * scale - shift;
  } else {
    for (std::int64_t c = 0; c < classes; ++c) d[c] = d[c] * scale - shift;
  }
}

// -log softmax(x)[label], mixed with the mean over all classes by label smoothing; the gradient goes to d unless it is
// null.
template <class T>
double row_loss(const T* x, T* d, std::int64_t label, std::int64_t classes, double smoothing, bool accumulate) {
  const T largest = largest_of(x, classes);
  const double sum = sum_of_exponentials(x, classes, largest, accumulate ? nullptr : d);
  double distance = 0;  // of the logits from the largest
  if (smoothing != 0) {
    for (std::int64_t c = 0; c < classes; ++c) distance += static_cast<double>(largest) - static_cast<double>(x[c]);
    distance *= smoothing / static_cast<double>(classes);
  }
  if (d) {
    softmax_row(x, d, classes, largest, sum, smoothing, accumulate);
    d[label] -= static_cast<T>(1 - smoothing);
  }
  return math::log(sum) + (1 - smoothing) * (static_cast<double>(largest) - static_cast<double>(x[label])) + distance;
}

template <class T>
void cross_entropy(const CrossEntropyBlock& s) {
  T* losses = static_cast<T*>(s.losses);
  T* counted = static_cast<T*>(s.counted);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const T* x = static_cast<const T*>(s.logits) + r * s.classes;
    T* d = s.d_logits ? static_cast<T*>(s.d_logits) + r * s.classes : nullptr;
    const std::int64_t label = s.labels[r];
    const bool ignored = label == s.ignored_label, known = label >= 0 && label < s.classes;
    double loss = ignored ? 0 : __builtin_nan("");
    if (known && !ignored) {
      loss = row_loss(x, d, label, s.classes, s.label_smoothing, s.accumulate_gradient);
    } else if (d) {
      constant_row(d, s.classes, static_cast<T>(loss), s.accumulate_gradient);
    }
    put(losses, r, loss, s.accumulate_losses);
    put(counted, r, ignored ? 0 : 1, s.accumulate_counted);
  }
}

}  // namespace

namespace RZ_ISA {
constinit const SoftmaxKernels softmax_kernels = {
    .cross_entropy = {cross_entropy<float>, cross_entropy<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
