#include "nn/init.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/linalg.h"
#include "core/nearest.h"

namespace rz::nn::init {

namespace {

constexpr std::array<std::string_view, 9> all_names{"kaiming_normal", "kaiming_uniform", "xavier_normal",
                                                    "xavier_uniform", "lecun_normal",    "lecun_uniform",
                                                    "orthogonal",     "identity",        "delta_orthogonal"};

// Rows or columns, whichever are fewer, are orthonormal.
void draw_orthogonal(std::span<double> values, Random& random, std::int64_t out, std::int64_t in, double gain) {
  const bool tall = out >= in;
  const std::int64_t m = tall ? out : in, n = tall ? in : out;
  const Qr f = qr(normal_tensor({m, n}, random), "orthogonal initialiser");
  const double* q = f.q.data<double>();
  const double* r = f.r.data<double>();
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      const double sign = r[j * n + j] < 0 ? -1 : 1;
      values[static_cast<std::size_t>(tall ? i * in + j : j * in + i)] = gain * sign * q[i * n + j];
    }
}

}  // namespace

Initializer constant(double value) {
  return [value](std::span<double> v, Random&) {
    for (double& x : v) x = value;
  };
}

Initializer values(std::vector<double> given) {
  return [given = std::move(given)](std::span<double> v, Random&) {
    RZ_CHECK(shape, v.size() == given.size(), "initialiser: {} values were given for {} numbers", given.size(),
             v.size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = given[i];
  };
}

Initializer normal(double standard_deviation) {
  return [standard_deviation](std::span<double> v, Random& random) {
    for (double& x : v) x = standard_deviation * random.normal();
  };
}

Initializer uniform(double bound) {
  return [bound](std::span<double> v, Random& random) {
    for (double& x : v) x = random.uniform(-bound, bound);
  };
}

Initializer scaled(Initializer inner, double factor) {
  if (factor == 1) return inner;
  return [inner = std::move(inner), factor](std::span<double> v, Random& random) {
    inner(v, random);
    for (double& x : v) x *= factor;
  };
}

std::span<const std::string_view> names() { return all_names; }

Initializer delta_orthogonal(const Shape& shape, double gain) {
  RZ_CHECK(shape, shape.rank() == 4 && shape[2] % 2 == 1 && shape[3] % 2 == 1,
           "init: delta_orthogonal needs kernels [out, in, height, width] with a centre, not {}", shape);
  return [=](std::span<double> v, Random& random) {
    std::vector<double> matrix(static_cast<std::size_t>(shape[0] * shape[1]));
    draw_orthogonal(matrix, random, shape[0], shape[1], gain);
    const auto plane = static_cast<std::size_t>(shape[2] * shape[3]);
    for (double& x : v) x = 0;
    for (std::size_t i = 0; i < matrix.size(); ++i) v[i * plane + plane / 2] = matrix[i];
  };
}

Initializer named(std::string_view name, const Shape& shape, std::optional<double> gain) {
  RZ_CHECK(value, std::ranges::find(all_names, name) != all_names.end(), "init: {}", unknown_name(name, all_names));
  RZ_CHECK(shape, shape.rank() == 2 || shape.rank() == 4,
           "init: {} needs a matrix [out, in] or kernels [out, in, height, width], not {}", name, shape);
  if (name == "delta_orthogonal") return delta_orthogonal(shape, gain.value_or(1));
  const bool matrix = name == "orthogonal" || name == "identity";
  RZ_CHECK(shape, shape.rank() == 2 || !matrix, "init: {} needs a matrix [out, in], not {} (delta_orthogonal)", name,
           shape);
  const std::int64_t positions = shape.rank() == 4 ? shape[2] * shape[3] : 1;
  const std::int64_t out = shape[0] * positions, in = shape[1] * positions;  // fans
  const double g = gain.value_or(name.starts_with("kaiming") ? std::sqrt(2.0) : 1.0);
  if (name == "orthogonal") return [=](std::span<double> v, Random& random) { draw_orthogonal(v, random, out, in, g); };
  if (name == "identity")
    return [=](std::span<double> v, Random&) {
      for (std::int64_t i = 0; i < out; ++i)
        for (std::int64_t j = 0; j < in; ++j) v[static_cast<std::size_t>(i * in + j)] = i == j ? g : 0;
    };
  const double fan = name.starts_with("xavier") ? 0.5 * static_cast<double>(in + out) : static_cast<double>(in);
  const double deviation = g / std::sqrt(fan);
  return name.ends_with("normal") ? normal(deviation) : uniform(std::sqrt(3.0) * deviation);
}

}  // namespace rz::nn::init
