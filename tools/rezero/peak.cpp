#include "tools/rezero/peak.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <numeric>
#include <vector>

#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

volatile double sink;  // keeps results that nobody reads

// 12 accumulators hide a latency of 4 cycles on 2 pipes, with room to spare; they are variables, not an array, so that
// they stay in registers in every build with optimisation. x -> 0.999 x + 0.001 goes to 1 from starts that differ from
// it: the compiler would see that 1 stays 1.
#define RZ_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define RZ_START(i) V x##i = one + static_cast<T>(i + 0.5);
#define RZ_MULTIPLY_ADD(i) x##i = x##i * a + b;
#define RZ_TOTAL(i) one += x##i;

// The loops for one instruction set, with vectors of so many bytes.
#define RZ_LOOPS(name, target_attribute, vector_bytes)                      \
  namespace name {                                                          \
  constexpr std::int64_t bytes = vector_bytes;                              \
  template <class T>                                                        \
  target_attribute void multiply_add(std::int64_t rounds) {                 \
    typedef T V __attribute__((vector_size(vector_bytes)));                 \
    V one = V{} + T(1);                                                     \
    const V a = V{} + T(0.999), b = V{} + T(0.001);                         \
    RZ_TWELVE(RZ_START)                                                     \
    for (std::int64_t round = 0; round < rounds; ++round) {                 \
      RZ_TWELVE(RZ_MULTIPLY_ADD)                                            \
    }                                                                       \
    RZ_TWELVE(RZ_TOTAL)                                                     \
    sink = static_cast<double>(one[0]);                                     \
  }                                                                         \
  target_attribute void read(double* memory, std::int64_t n) {              \
    typedef double V __attribute__((vector_size(vector_bytes), may_alias)); \
    const V* const p = reinterpret_cast<const V*>(memory);                  \
    V s0{}, s1{}, s2{}, s3{};                                               \
    for (std::int64_t i = 0; i + 4 <= n * 8 / bytes; i += 4) {              \
      s0 += p[i], s1 += p[i + 1], s2 += p[i + 2], s3 += p[i + 3];           \
    }                                                                       \
    s0 += s1 + s2 + s3;                                                     \
    sink = s0[0];                                                           \
  }                                                                         \
  target_attribute void update(double* memory, std::int64_t n) {            \
    typedef double V __attribute__((vector_size(vector_bytes), may_alias)); \
    V* const p = reinterpret_cast<V*>(memory);                              \
    for (std::int64_t i = 0; i < n * 8 / bytes; ++i) p[i] *= 0.999;         \
  }                                                                         \
  }

#if defined(__x86_64__)
RZ_LOOPS(avx512, __attribute__((target("avx512f"), noinline)), 64)
RZ_LOOPS(avx2, __attribute__((target("avx2,fma"), noinline)), 32)
#endif
RZ_LOOPS(baseline, __attribute__((noinline)), 16)

struct Loops {
  void (*multiply_add[2])(std::int64_t rounds);  // f32, f64
  void (*read)(double* memory, std::int64_t n);
  void (*update)(double* memory, std::int64_t n);
  std::int64_t bytes;  // of a vector
};

Loops loops() {
#if defined(__x86_64__)
  if (std::strcmp(cpu_kernels(), "avx512") == 0)
    return {{avx512::multiply_add<float>, avx512::multiply_add<double>}, avx512::read, avx512::update, avx512::bytes};
  if (std::strcmp(cpu_kernels(), "avx2") == 0)
    return {{avx2::multiply_add<float>, avx2::multiply_add<double>}, avx2::read, avx2::update, avx2::bytes};
#endif
  return {{baseline::multiply_add<float>, baseline::multiply_add<double>},
          baseline::read,
          baseline::update,
          baseline::bytes};
}

// Of the calling thread alone, so that other programs on the machine do not make the peak smaller.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Bytes per second of each round; `crossings`: how often a pass of the loop moves each byte.
std::vector<double> bandwidths(void (*loop)(double*, std::int64_t), int crossings, std::size_t bytes, int rounds) {
  const std::int64_t each = static_cast<std::int64_t>(bytes) / 8 / threads() / 64 * 64;
  const Tensor memory = Tensor::full({each * threads()}, 1, DType::f64);
  // Small memory is passed over again and again, so that a round is not the time of waking a thread.
  const std::int64_t passes = std::max<std::int64_t>(1, (std::int64_t{1} << 24) / static_cast<std::int64_t>(bytes));
  const auto moved = static_cast<double>(crossings * passes * each * threads() * 8);
  std::vector<double> rates;
  for (int round = 0; round < rounds; ++round) {
    const double start = seconds_now();
    parallel_for(threads(), [&](std::int64_t piece) {
      for (std::int64_t pass = 0; pass < passes; ++pass) loop(memory.data<double>() + piece * each, each);
    });
    rates.push_back(moved / (seconds_now() - start));
  }
  return rates;
}

}  // namespace

std::vector<double> fma_rates(DType dtype, int rounds) {
  const Loops loop = loops();
  const bool wide = dtype == DType::f64;
  constexpr std::int64_t repeats = 600'000;
  const std::int64_t lanes = loop.bytes / static_cast<std::int64_t>(size_of(dtype));
  const double flops = static_cast<double>(2 * 12 * lanes * repeats);
  std::vector<double> of_threads(static_cast<std::size_t>(threads())), rates;
  for (int round = 0; round < rounds; ++round) {
    parallel_for(threads(), [&](std::int64_t piece) {
      const double start = processor_seconds();
      loop.multiply_add[wide](repeats);
      of_threads[static_cast<std::size_t>(piece)] = flops / (processor_seconds() - start);
    });
    rates.push_back(std::accumulate(of_threads.begin(), of_threads.end(), 0.0));
  }
  return rates;
}

std::vector<double> read_rates(std::size_t bytes, int rounds) { return bandwidths(loops().read, 1, bytes, rounds); }
std::vector<double> update_rates(std::size_t bytes, int rounds) { return bandwidths(loops().update, 2, bytes, rounds); }

double fma_peak(DType dtype) { return std::ranges::max(fma_rates(dtype, 15)); }

}  // namespace rz::tool
