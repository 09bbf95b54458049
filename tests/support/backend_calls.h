// Calls of a Backend against loops in f64: every case runs in f32 and f64, overwriting and accumulating, and on 1 and 3
// threads, whose bits must agree.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/backend.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/tensor.h"
#include "support/close.h"
#include "support/inputs.h"

namespace rz::test {

inline Backend& cpu() { return backend(Device::cpu()); }

// N(0, 1); another array for every stream.
inline Tensor values(const Shape& shape, DType type, std::uint64_t stream) {
  Random random(seed(), stream);
  return normal_tensor(shape, random, type);
}

inline double tolerance_of(DType type) { return type == DType::f32 ? 4e-6 : 1e-13; }

// Runs f on 1 and on 3 threads. f returns what it computed.
template <class F>
Tensor on_threads(F&& f) {
  set_threads(1);
  const Tensor one = f();
  set_threads(3);
  const Tensor three = f();
  set_threads(0);
  CHECK(identical(one, three));
  return one;
}

using Expected = std::function<double(std::int64_t)>;  // element i of the result
using Call = std::function<void(const Target&, Workspace&)>;

// A call writes `expected` over NaN, and adds it to other contents.
inline void check_call(const Shape& shape, DType type, const Expected& expected, const Call& call,
                       double tolerance = 0) {
  if (tolerance == 0) tolerance = tolerance_of(type);
  for (const bool accumulate : {false, true}) {
    CAPTURE(accumulate);
    CAPTURE(name(type));
    const std::vector<double> before = values(shape, type, 999).to_vector();
    const Tensor result = on_threads([&] {
      const Tensor y =
          accumulate ? values(shape, type, 999) : Tensor::full(shape, std::numeric_limits<double>::quiet_NaN(), type);
      Workspace w(pool(Device::cpu()));
      call(Destination{y, accumulate}.target(), w);
      return y;
    });
    std::vector<double> wanted(static_cast<std::size_t>(shape.elements()));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      wanted[i] = expected(static_cast<std::int64_t>(i)) + (accumulate ? before[i] : 0);
    }
    CHECK(close(result, wanted, tolerance));
  }
}

// The index of element i of `shape` along every axis.
inline std::vector<std::int64_t> index_of(std::int64_t i, const Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int k = shape.rank() - 1; k >= 0; --k) {
    index[static_cast<std::size_t>(k)] = i % shape[k];
    i /= shape[k];
  }
  return index;
}

// The element of `shape` at an index that may have more axes (missing ones in front) and larger extents where shape's
// is 1.
inline std::size_t broadcast_element(const std::vector<std::int64_t>& index, const Shape& shape) {
  std::int64_t element = 0;
  const std::size_t skipped = index.size() - static_cast<std::size_t>(shape.rank());
  for (int k = 0; k < shape.rank(); ++k) {
    element = element * shape[k] + (shape[k] == 1 ? 0 : index[skipped + static_cast<std::size_t>(k)]);
  }
  return static_cast<std::size_t>(element);
}

}  // namespace rz::test
