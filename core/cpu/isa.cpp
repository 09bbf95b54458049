#include "core/cpu/isa.h"

#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace rz {

namespace cpu {
namespace {

struct InstructionSet {
  const char* name;  // as REZERO_ISA spells it
  const Kernels* kernels;
  const GemmKernels* products[4];  // by ProductPrecision
  bool present;                    // on this processor
};

#if defined(__x86_64__)
// Tile registers are for processes alone that asked the kernel for them.
bool tiles_are_permitted() {
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, request, tile_data) == 0;
}
bool has_bf16() { return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16"); }
bool has_tiles() { return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16"); }
#endif

std::span<const InstructionSet> instruction_sets() {  // the best first
#if defined(__x86_64__)
  static const InstructionSet sets[] = {
      {"amx",
       &kernels_avx512,
       {nullptr, &gemm_amx[2], &gemm_amx[1], &gemm_amx[0]},
       has_bf16() && has_tiles() && tiles_are_permitted()},
      {"avx512_bf16", &kernels_avx512, {nullptr, nullptr, nullptr, &gemm_avx512_bf16}, has_bf16()},
      {"avx512", &kernels_avx512, {}, __builtin_cpu_supports("x86-64-v4") != 0},
      {"avx2", &kernels_avx2, {}, __builtin_cpu_supports("x86-64-v3") != 0},
      {"baseline", &kernels_baseline, {}, __builtin_cpu_supports("x86-64-v2") != 0}};
#else
  static const InstructionSet sets[] = {{"baseline", &kernels_baseline, {}, true}};
#endif
  return sets;
}

const InstructionSet& choose() {
  const char* wish = std::getenv("REZERO_ISA");
  for (const InstructionSet& set : instruction_sets()) {
    if (!wish || !*wish) {
      if (set.present) return set;
    } else if (std::strcmp(wish, set.name) == 0) {
      RZ_CHECK(value, set.present, "REZERO_ISA: this processor has no {}; unset it to take the best that is there",
               wish);
      return set;
    }
  }
  RZ_CHECK(value, !wish || !*wish,
           "REZERO_ISA: '{}' is not known; give baseline, avx2, avx512, avx512_bf16 or amx, or unset it to take the "
           "best that is there",
           wish);
  RZ_FAIL(device, "cpu: {} is too old, rezero needs x86-64-v2 (SSE4.2, since about 2009)", cpu_model());
}

const InstructionSet& chosen() {
  static const InstructionSet& set = choose();
  return set;
}

}  // namespace

const Kernels& kernels() { return *chosen().kernels; }

const GemmKernels* products_in(ProductPrecision precision) {
  return chosen().products[static_cast<std::size_t>(precision)];
}

std::string missing_for(ProductPrecision precision) {
  if (precision == ProductPrecision::plain || precision == ProductPrecision::f32 || products_in(precision)) return "";
  const std::string works = products_in(ProductPrecision::bf16) ? " (f32 and bf16 work)" : " (f32 works)";
  const char* const needed = precision == ProductPrecision::high ? "amx" : "avx512_bf16";
  for (const InstructionSet& set : instruction_sets()) {
    if (std::strcmp(set.name, needed) != 0 || !set.present) continue;
    return std::string("REZERO_ISA=") + cpu_isa() + " leaves " + needed + " out" + works;
  }
#if defined(__x86_64__)
  if (precision == ProductPrecision::high && has_bf16() && has_tiles())
    return "the operating system does not permit AMX's tile registers" + works;
#endif
  return std::string("this processor has no ") + (precision == ProductPrecision::high ? "AMX" : "AVX512_BF16") + works;
}

}  // namespace cpu

const char* cpu_isa() { return cpu::chosen().name; }
const char* cpu_kernels() { return cpu::kernels().name; }

std::string cpu_model() {
#if defined(__x86_64__)
  constexpr unsigned brand_string = 0x80000002;  // three leaves of 16 characters each
  unsigned words[12] = {};
  if (__get_cpuid_max(0x80000000, nullptr) >= brand_string + 2) {
    for (unsigned k = 0; k < 3; ++k) {
      unsigned* const w = words + 4 * k;
      __get_cpuid(brand_string + k, w, w + 1, w + 2, w + 3);
    }
    char text[sizeof words + 1] = {};
    std::memcpy(text, words, sizeof words);
    const std::string_view trimmed(text);
    const std::size_t first = trimmed.find_first_not_of(' '), last = trimmed.find_last_not_of(' ');
    if (first != std::string_view::npos) return std::string(trimmed.substr(first, last - first + 1));
  }
#endif
  return "CPU";
}

}  // namespace rz
