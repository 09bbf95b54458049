// Products of bf16 parts on tile registers (core/cpu/kernels/bf16): the kernels on tiles made of plain C++, which do
// what the processor's manual says of TDPBF16PS; where there is AMX, its results must have the same bits.
#include "core/cpu/kernels/bf16/tiles.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "core/cpu/gemm.h"
#include "core/cpu/isa.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/inputs.h"

namespace rz::test {
namespace {

using cpu::GemmKernels;

class PlainTiles {
 public:
  template <int tile>
  void zero() {
    std::memset(rows_[tile], 0, sizeof rows_[tile]);
  }
  template <int tile>
  void load(const void* memory, std::int64_t row) {
    for (int i = 0; i < 16; ++i) std::memcpy(rows_[tile][i], static_cast<const char*>(memory) + i * row, 64);
  }
  template <int tile>
  void store(void* memory, std::int64_t row) {
    for (int i = 0; i < 16; ++i) std::memcpy(static_cast<char*>(memory) + i * row, rows_[tile][i], 64);
  }
  template <int c, int a, int b>
  void dot() {
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 16; ++n) {
        float even = 0, odd = 0;  // a product of two numbers of 8 bits is exact
        for (int k = 0; k < 16; ++k) {
          even += low(rows_[a][m][k]) * low(rows_[b][k][n]);
          odd += high(rows_[a][m][k]) * high(rows_[b][k][n]);
        }
        rows_[c][m][n] = std::bit_cast<std::uint32_t>(std::bit_cast<float>(rows_[c][m][n]) + (even + odd));
      }
    }
  }

 private:
  static float low(std::uint32_t pair) { return std::bit_cast<float>(pair << 16); }
  static float high(std::uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000); }
  std::uint32_t rows_[8][16][16] = {};
};

constexpr GemmKernels plain_tiles[3] = {cpu::tile_products<PlainTiles, 1>(), cpu::tile_products<PlainTiles, 2>(),
                                        cpu::tile_products<PlainTiles, 3>()};

struct Sizes {
  std::int64_t m, n, k;
};

// op(a) op(b), in one block of rows, with the kernels' own packing.
Tensor product(const GemmKernels& own, const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed,
               const Tensor& sum = {}) {
  const Shape &in_a = a.shape(), &in_b = b.shape();
  const Sizes s{in_a[a_transposed ? 1 : 0], in_b[b_transposed ? 0 : 1], in_a[a_transposed ? 0 : 1]};
  const std::int64_t width = own.width[0], panels = (s.n + width - 1) / width, panel = cpu::panel_size(own, 0, s.k);
  const Tensor packed({panels * panel * own.bytes[0] / 4}, DType::f32);
  const Tensor c = sum.defined() ? sum.clone() : Tensor({s.m, s.n}, DType::f32);
  const FlushDenormals flush(true);
  own.pack[0]({b.raw(), in_b[1], s.k, s.n, b_transposed, panel}, 1, packed.raw());
  own.multiply[0]({.a = a.raw(),
                   .panels = packed.raw(),
                   .row_start = nullptr,
                   .a_rows = nullptr,
                   .c = c.raw(),
                   .a_row = in_a[1],
                   .c_row = s.n,
                   .c_panel = width,
                   .rows = s.m,
                   .columns = s.n,
                   .k = s.k,
                   .a_transposed = a_transposed,
                   .accumulate = sum.defined()});
  return c;
}

Tensor absolute(const Tensor& x) {
  std::vector<double> values = x.to_vector();
  for (double& value : values) value = std::fabs(value);
  return Tensor::of(x.shape(), values, DType::f64);
}

// Of c = a b: root of the mean square of its errors, each in units of |a| |b|.
double error(const Tensor& c, const Tensor& a, const Tensor& b) {
  const std::vector<double> values = c.to_vector(),
                            exact =
                                ops::gemm(Transpose::no, a.to(DType::f64), Transpose::no, b.to(DType::f64)).to_vector(),
                            sizes = ops::gemm(Transpose::no, absolute(a), Transpose::no, absolute(b)).to_vector();
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow((values[i] - exact[i]) / sizes[i], 2);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// Element (i, j) of x times factor(i, j).
template <class Factor>
Tensor scaled(const Tensor& x, Factor&& factor) {
  std::vector<double> values = x.to_vector();
  const std::int64_t columns = x.shape()[1];
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] *= factor(static_cast<std::int64_t>(i) / columns, static_cast<std::int64_t>(i) % columns);
  return Tensor::of(x.shape(), values, DType::f32);
}

struct Operands {
  const char* name;
  Tensor a, b;
};

// Products whose sums are good-natured, of very different rows, with an inner extent that fades away, and nearly 0.
std::vector<Operands> operands(const Sizes& s) {
  const Tensor a = normal_input({s.m, s.k}, "a", DType::f32), b = normal_input({s.k, s.n}, "b", DType::f32);
  const auto rows = static_cast<double>(s.m), inner = static_cast<double>(s.k);
  const auto opposite = [&](std::int64_t i) { return i < s.k / 2 ? 1.0 : -1.0; };
  const std::vector<double> half = b.to_vector();
  std::vector<double> mirrored = half, same = a.to_vector();
  for (std::int64_t i = s.k / 2; i < s.k; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j)
      mirrored[static_cast<std::size_t>(i * s.n + j)] =
          opposite(i) * half[static_cast<std::size_t>((i - s.k / 2) * s.n + j)];
    for (std::int64_t r = 0; r < s.m; ++r)
      same[static_cast<std::size_t>(r * s.k + i)] = same[static_cast<std::size_t>(r * s.k + i - s.k / 2)] * (1 + 1e-5);
  }
  return {
      {"normal", a, b},
      {"rows from 1e-6 to 1e6",
       scaled(a, [&](std::int64_t i, std::int64_t) { return std::pow(10, 12 * static_cast<double>(i) / rows - 6); }),
       b},
      {"inner extent from 1 to 1e-6",
       scaled(a, [&](std::int64_t, std::int64_t j) { return std::pow(10, -6 * static_cast<double>(j) / inner); }), b},
      {"cancelling", Tensor::of({s.m, s.k}, same, DType::f32), Tensor::of({s.k, s.n}, mirrored, DType::f32)}};
}

}  // namespace

TEST_SUITE("core/tiles") {
  TEST_CASE("tiles: three parts err no more than f32, two and one as their bits say") {
    for (const Operands& x : operands({96, 80, 256})) {
      INFO(x.name);
      const double f32 = error(ops::gemm(Transpose::no, x.a, Transpose::no, x.b), x.a, x.b);
      double parts[3];
      for (int p = 0; p < 3; ++p) parts[p] = error(product(plain_tiles[p], x.a, false, x.b, false), x.a, x.b);
      MESSAGE("errors in units of f32's: " << parts[2] / f32 << ", " << parts[1] / f32 << ", " << parts[0] / f32);
      CHECK(parts[2] <= f32);
      CHECK(parts[1] <= 40 * f32);
      CHECK(parts[1] >= 2 * f32);  // they are two
      CHECK(parts[0] <= std::ldexp(1, -9));
    }
  }

  TEST_CASE("tiles: any extents, orientations, and sums") {
    for (const Sizes& s : {Sizes{1, 1, 1}, {16, 16, 32}, {33, 31, 33}, {64, 32, 256}, {31, 65, 257}, {45, 7, 520}}) {
      const Tensor a = normal_input({s.m, s.k}, "a", DType::f32), b = normal_input({s.k, s.n}, "b", DType::f32),
                   sum = normal_input({s.m, s.n}, "c", DType::f32);
      const Tensor at = ops::permute(a, std::vector<int>{1, 0}), bt = ops::permute(b, std::vector<int>{1, 0});
      for (int p = 0; p < 3; ++p) {
        INFO(s.m, " ", s.n, " ", s.k, " ", p);
        const Tensor c = product(plain_tiles[p], a, false, b, false);
        CHECK(error(c, a, b) <= std::ldexp(1, p == 0 ? -8 : p == 1 ? -15 : -21));
        CHECK(identical(product(plain_tiles[p], at, true, b, false), c));
        CHECK(identical(product(plain_tiles[p], a, false, bt, true), c));
        CHECK(close(product(plain_tiles[p], at, true, bt, true, sum), ops::add(c, sum), 1e-4));
      }
    }
  }

  TEST_CASE("tiles: what is not finite shows, and denormals count as 0") {
    std::vector<double> values(32 * 32, 1);
    values[5] = std::numeric_limits<double>::infinity();
    values[32 + 5] = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t i = 64; i < 96; ++i) values[i] = 1e-39;
    const Tensor a = Tensor::of({32, 32}, values, DType::f32), b = Tensor::full({32, 32}, 1, DType::f32);
    for (const GemmKernels& kernels : plain_tiles) {
      const std::vector<double> c = product(kernels, a, false, b, false).to_vector();
      CHECK(!std::isfinite(c[0]));
      CHECK(std::isnan(c[32]));
      CHECK(c[64] == 0);
      CHECK(c[96] == 32);
    }
  }

#if defined(__x86_64__)
  TEST_CASE("tiles: AMX has the same bits") {
    if (std::string_view(cpu_isa()) != "amx") return;
    const Tensor a = normal_input({75, 300}, "a", DType::f32), b = normal_input({300, 90}, "b", DType::f32);
    for (int p = 0; p < 3; ++p)
      CHECK(identical(product(cpu::gemm_amx[p], a, false, b, false), product(plain_tiles[p], a, false, b, false)));
  }

  TEST_CASE("tiles: AVX512_BF16 rounds operands alike") {
    if (!cpu::products_in(ProductPrecision::bf16)) return;
    const GemmKernels& own = *cpu::products_in(ProductPrecision::bf16);
    for (const Operands& x : operands({75, 90, 300})) {
      const Tensor c = product(plain_tiles[0], x.a, false, x.b, false);
      CHECK(error(product(own, x.a, false, x.b, false), x.a, x.b) / error(c, x.a, x.b) ==
            doctest::Approx(1).epsilon(1e-3));
    }
  }
#endif
}

}  // namespace rz::test
