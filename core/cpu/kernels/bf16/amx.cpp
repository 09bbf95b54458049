// The tile registers of AMX. GCC's intrinsics want literal numbers of tiles, so the instructions stand here as they
// are. The process must have the kernel's permission (core/cpu/isa.cpp).
#include "core/cpu/kernels/bf16/tiles.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

class AmxTiles {
 public:
  AmxTiles() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } const configuration;
    asm volatile("ldtilecfg %0" : : "m"(configuration));
  }
  ~AmxTiles() { asm volatile("tilerelease"); }  // else every switch to another thread saves 8 KB
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  template <int tile>
  void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(tile));
  }
  template <int tile>
  void load(const void* memory, std::int64_t row) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(memory), "r"(row), "i"(tile) : "memory");
  }
  template <int tile>
  void store(void* memory, std::int64_t row) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(memory), "r"(row), "i"(tile) : "memory");
  }
  template <int c, int a, int b>
  void dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(c), "i"(a), "i"(b));
  }
};

}  // namespace

constinit const GemmKernels gemm_amx[3] = {tile_products<AmxTiles, 1>(), tile_products<AmxTiles, 2>(),
                                           tile_products<AmxTiles, 3>()};

}  // namespace rz::cpu
