#include "core/cpu/isa.h"

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rz {

namespace cpu {
namespace {

struct Variant {
  const Kernels* kernels;
  bool present;  // on this processor
};

const Kernels& choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const Variant variants[] = {{&kernels_avx512, __builtin_cpu_supports("x86-64-v4") != 0},
                              {&kernels_avx2, __builtin_cpu_supports("x86-64-v3") != 0},
                              {&kernels_baseline, __builtin_cpu_supports("x86-64-v2") != 0}};
#else
  const Variant variants[] = {{&kernels_baseline, true}};
#endif
  const char* wish = std::getenv("REZERO_ISA");
  if (wish && *wish) {
    for (const Variant& variant : variants) {
      if (std::strcmp(wish, variant.kernels->name) != 0) continue;
      RZ_CHECK(value, variant.present, "REZERO_ISA: this processor has no {}; unset it to take the best that is there",
               wish);
      return *variant.kernels;
    }
    RZ_FAIL(value,
            "REZERO_ISA: '{}' is not known; give baseline, avx2 or avx512, or unset it to take the best that is there",
            wish);
  }
  for (const Variant& variant : variants) {
    if (variant.present) return *variant.kernels;
  }
  RZ_FAIL(device, "cpu: {} is too old, rezero needs x86-64-v2 (SSE4.2, since about 2009)", cpu_model());
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace cpu

const char* cpu_isa() { return cpu::kernels().name; }

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
