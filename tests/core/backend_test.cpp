// The primitives of the CPU's backend against plain loops: elementwise, reductions, moving data.
// The others are in backend_rows_test.cpp and backend_update_test.cpp.
#include "core/backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/ops.h"
#include "support/backend_calls.h"

namespace rz::test {
namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  pclose(pipe);
  return text;
}

}  // namespace

TEST_SUITE("core/backend") {
  TEST_CASE("the CPU says what it is") {
    const std::string text = cpu().description();
    CHECK(mentions(text, {", ", "OpenBLAS ", "("}));
    if (const char* isa = std::getenv("REZERO_ISA"); isa && *isa) CHECK(mentions(text, {", ", isa, ","}));
    CHECK(has_device(Device::cpu()));
    CHECK(!has_device({DeviceKind::cpu, 1}));
    CHECK(!has_device({DeviceKind::guarded, 200}));
    CHECK(mentions(message_of(ErrorCode::device, [] { backend({DeviceKind::guarded, 200}); }), {"no backend"}));
    if (cuda_built()) return;
    CHECK(!has_device({DeviceKind::cuda, 0}));
    CHECK(mentions(message_of(ErrorCode::device, [] { make_cuda_backend(0); }), {"cuda", "-DREZERO_CUDA=ON"}));
  }

  TEST_CASE("REZERO_ISA chooses the instruction set and refuses what it does not know") {
    const std::string self = "/proc/" + std::to_string(getpid()) + "/exe --test-case='the CPU says what it is' 2>&1";
    CHECK(mentions(output_of("REZERO_ISA=baseline " + self), {"1 passed"}));
    CHECK(mentions(output_of("REZERO_ISA=avx1024 " + self),
                   {"'avx1024' is not known", "baseline, avx2, avx512, avx512_bf16 or amx"}));
  }

  TEST_CASE("memory is aligned, large blocks to huge pages") {
    for (const std::size_t bytes :
         {std::size_t{1}, std::size_t{1000}, std::size_t{3} << 20, (std::size_t{2} << 20) + 1}) {
      char* const data = static_cast<char*>(cpu().allocate(bytes));
      REQUIRE(data);
      CHECK(reinterpret_cast<std::uintptr_t>(data) % 64 == 0);
      data[0] = data[bytes - 1] = 1;
      cpu().release(data, bytes);
    }
    CHECK(!cpu().allocate(SIZE_MAX / 4));
  }

  TEST_CASE("fill and convert, all types") {
    const DType types[] = {DType::f32, DType::f64, DType::bf16, DType::i32, DType::i64, DType::u8};
    for (const DType from : types) {
      const Tensor x({20001}, from);
      cpu().fill(3, Destination{x}.target());
      CHECK(close(x, std::vector<double>(20001, 3.0), 0));
      cpu().fill(2, Destination{x, true}.target());
      for (const DType to : types) {
        const Tensor y({20001}, to);
        cpu().convert(x.operand(), Destination{y}.target());
        cpu().convert(x.operand(), Destination{y, true}.target());
        CHECK(close(y, std::vector<double>(20001, 10.0), 0));
      }
    }
  }

  TEST_CASE("bf16 rounds to nearest even and keeps NaN and infinity") {
    const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> x = {1 + 1.0 / 256, 1 + 3.0 / 256, 1 + 1.01 / 256, -inf, 3.4e38, nan};
    const Tensor back = Tensor::of({6}, x, DType::f32).to(DType::bf16).to(DType::f64);
    const std::vector<double> y = back.to_vector();
    CHECK(std::vector<double>(y.begin(), y.begin() + 5) ==
          std::vector<double>{1, 1 + 4.0 / 256, 1 + 2.0 / 256, -inf, inf});
    CHECK(std::isnan(y[5]));
  }

  TEST_CASE("real numbers become whole ones towards 0, within the range") {
    const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> x = {-1.9, 1.9, 254.99, 256, -inf, inf, nan, 1e300};
    using Integers = std::vector<std::int64_t>;
    for (const DType type : real_types) {
      const Tensor reals = Tensor::of({8}, x, type);
      CHECK(reals.to(DType::u8).to_integers() == Integers{0, 1, 254, 255, 0, 255, 0, 255});
      CHECK(reals.to(DType::i32).to_integers() == Integers{-1, 1, 254, 256, INT32_MIN, INT32_MAX, 0, INT32_MAX});
      CHECK(reals.to(DType::i64).to_integers() == Integers{-1, 1, 254, 256, INT64_MIN, INT64_MAX, 0, INT64_MAX});
    }
  }

  TEST_CASE("scale and scalar functions") {
    for (const DType type : real_types) {
      for (const std::int64_t n : {1, 7, 33, 40001}) {
        CAPTURE(n);
        const Tensor x = values({n}, type, 1);
        const std::vector<double> xs = x.to_vector();
        const auto at = [&](std::int64_t i) { return xs[static_cast<std::size_t>(i)]; };
        check_call(
            {n}, type, [&](std::int64_t i) { return -1.5 * at(i); },
            [&](const Target& y, Workspace&) { cpu().scale(-1.5, x.operand(), y); });
        for (const ScalarFunction f : activations()) {
          if (n > 100 && f != ScalarFunction::relu && f != ScalarFunction::gelu) continue;
          CAPTURE(info(f).name);
          for (int order = 0; order < 3; ++order) {
            check_call(
                {n}, type, [&](std::int64_t i) { return evaluate(f, order, at(i)); },
                [&](const Target& y, Workspace&) { cpu().scalar(f, order, x.operand(), y); });
          }
        }
      }
    }
  }

  TEST_CASE("elementary functions and the vjp of all") {
    for (const DType type : real_types) {
      Random random(seed(), 3);
      const Tensor x = uniform_tensor({50}, random, 0.5, 3, type), d_y = values({50}, type, 2);
      const std::vector<double> xs = x.to_vector(), d_ys = d_y.to_vector();
#define RZ_FUNCTION(name, type) ScalarFunction::name,
      for (const ScalarFunction f : {RZ_SCALAR_FUNCTIONS(RZ_FUNCTION)}) {
#undef RZ_FUNCTION
        CAPTURE(info(f).name);
        const auto at = [&](std::int64_t i) { return xs[static_cast<std::size_t>(i)]; };
        check_call(
            {50}, type, [&](std::int64_t i) { return evaluate(f, 0, at(i)); },
            [&](const Target& y, Workspace&) { cpu().scalar(f, 0, x.operand(), y); });
        const Tensor kept = info(f).uses_output ? ops::scalar(f, 0, x) : x;
        check_call(
            {50}, type, [&](std::int64_t i) { return evaluate(f, 1, at(i)) * d_ys[static_cast<std::size_t>(i)]; },
            [&](const Target& d_x, Workspace&) { cpu().scalar_vjp(f, kept.operand(), d_y.operand(), d_x); });
      }
    }
  }

  TEST_CASE("elementwise functions in place") {
    const Tensor x = values({20000}, DType::f32, 1), y = x.clone();
    cpu().scalar(ScalarFunction::relu, 0, y.operand(), Destination{y}.target());
    CHECK(identical(y, ops::scalar(ScalarFunction::relu, 0, x)));
    const Tensor z = x.clone();
    cpu().binary(Binary::multiply, z.operand(), z.operand(), Destination{z}.target());
    CHECK(identical(z, ops::multiply(x, x)));
  }

  TEST_CASE("binary functions broadcast") {
    struct Case {
      Shape a, b, y;
    };
    const Case cases[] = {{{5}, {5}, {5}},
                          {{40001}, {40001}, {40001}},
                          {{3, 20001}, {3, 1}, {3, 20001}},
                          {{300, 70}, {70}, {300, 70}},
                          {{1}, {300, 70}, {300, 70}},
                          {{4, 5, 6}, {4, 1, 6}, {4, 5, 6}},
                          {{4, 1, 6}, {5, 1}, {4, 5, 6}},
                          {{7, 1}, {1, 9}, {7, 9}},
                          {{2, 1, 3, 1, 2, 1}, {3, 1, 4, 1, 5}, {2, 3, 3, 4, 2, 5}},
                          {{2, 100, 1, 60}, {1, 100, 3, 60}, {2, 100, 3, 60}},
                          {{}, {}, {}},
                          {{}, {3}, {2, 3}},
                          {{0, 3}, {3}, {0, 3}}};
    const std::function<double(double, double)> functions[] = {
        [](double a, double b) { return a + b; }, [](double a, double b) { return a - b; },
        [](double a, double b) { return a * b; }, [](double a, double b) { return a / b; },
        [](double a, double b) { return std::max(a, b); }};
    for (const DType type : real_types) {
      for (const Case& c : cases) {
        CAPTURE(text(c.a));
        CAPTURE(text(c.b));
        const Tensor a = values(c.a, type, 1), b = ops::add(values(c.b, type, 2), Tensor::full(c.b, 9, type));
        const std::vector<double> as = a.to_vector(), bs = b.to_vector();
        for (std::size_t op = 0; op < 5; ++op) {
          const auto expected = [&](std::int64_t i) {
            const auto index = index_of(i, c.y);
            return functions[op](as[broadcast_element(index, c.a)], bs[broadcast_element(index, c.b)]);
          };
          check_call(c.y, type, expected, [&](const Target& y, Workspace&) {
            cpu().binary(static_cast<Binary>(op), a.operand(), b.operand(), y);
          });
        }
      }
    }
  }

  TEST_CASE("reductions over any axes") {
    struct Case {
      Shape x, y;
    };
    const Case cases[] = {{{9}, {1}},
                          {{100003}, {1}},
                          {{3, 70001}, {3, 1}},
                          {{1000, 10}, {1000, 1}},
                          {{1000, 10}, {1, 10}},
                          {{129, 257}, {1, 257}},
                          {{20000, 3}, {1, 3}},
                          {{70, 5, 100}, {70, 1, 100}},
                          {{3, 200, 300}, {3, 1, 300}},
                          {{30, 5, 100}, {1, 5, 1}},
                          {{3, 4, 5, 6, 7, 8}, {3, 1, 5, 1, 7, 1}},
                          {{3, 4, 5, 6, 7, 8}, {1, 4, 1, 6, 1, 8}},
                          {{3, 4}, {3, 4}},
                          {{}, {}}};
    for (const DType type : real_types) {
      for (const Case& c : cases) {
        CAPTURE(text(c.x));
        CAPTURE(text(c.y));
        const Tensor x = values(c.x, type, 1);
        const std::vector<double> xs = x.to_vector();
        for (const Reduction op : {Reduction::sum, Reduction::max}) {
          std::vector<double> y(static_cast<std::size_t>(c.y.elements()), op == Reduction::sum ? 0 : -1e300);
          for (std::size_t i = 0; i < xs.size(); ++i) {
            double& to = y[broadcast_element(index_of(static_cast<std::int64_t>(i), c.x), c.y)];
            to = op == Reduction::sum ? to + xs[i] : std::max(to, xs[i]);
          }
          check_call(
              c.y, type, [&](std::int64_t i) { return y[static_cast<std::size_t>(i)]; },
              [&](const Target& target, Workspace& w) { cpu().reduce(op, x.operand(), target, w); },
              type == DType::f32 ? 4e-6 : 1e-11);  // of the loop above: ours are better
        }
      }
      check_call(
          {2, 1}, type, [](std::int64_t) { return 0.0; },
          [&](const Target& y, Workspace& w) { cpu().reduce(Reduction::sum, Tensor({2, 0}, type).operand(), y, w); });
    }
  }

  TEST_CASE("long f32 sums keep their digits, and NaN shows in a maximum") {
    const Tensor ones = Tensor::full({1 << 25}, 1, DType::f32);
    CHECK(ops::sum(ones).item() == 1 << 25);  // one after the other they would stop at 2^24
    const Tensor tenth = Tensor::full({3000000}, 0.1, DType::f32);
    CHECK(close(ops::sum(tenth).item(), 3e6 * static_cast<double>(0.1f), 1e-7));
    for (const std::int64_t n : {1, 9, 50}) {
      std::vector<double> x(static_cast<std::size_t>(n), 1.0);
      for (double& place : x) {
        place = std::numeric_limits<double>::quiet_NaN();
        const int axes[] = {0};
        CHECK(std::isnan(ops::reduce(Reduction::max, Tensor::of({n}, x), axes).item()));
        place = 1;
      }
    }
  }

  TEST_CASE("argmax of rows and sum of squares") {
    for (const DType type : real_types) {
      const Tensor x = values({700, 61}, type, 1);
      const std::vector<double> xs = x.to_vector();
      const std::vector<std::int64_t> y = on_threads([&] { return ops::argmax_rows(x); }).to_integers();
      for (std::size_t r = 0; r < 700; ++r) {
        const auto row = xs.begin() + static_cast<std::ptrdiff_t>(r * 61);
        REQUIRE(y[r] == std::max_element(row, row + 61) - row);
      }
      CHECK(ops::argmax_rows(Tensor::of({2, 3}, std::vector<double>{1, 5, 5, -2, -2, -3}, type)).to_integers() ==
            std::vector<std::int64_t>{1, 0});
      for (const std::int64_t n : {0, 1, 31, 70001}) {
        const Tensor v = values({n}, type, 4);
        double sum = 0;
        for (const double e : v.to_vector()) sum += e * e;
        CHECK(close(on_threads([&] { return ops::sum_of_squares(v); }).item(), sum, 1e-12));
      }
    }
  }
}

}  // namespace rz::test
