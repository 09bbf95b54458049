// Convolutions of one image that carries its border with it, x [height, width, channels]: numbers under one row of a
// window stand side by side. Forward, a tile is some outputs of one row by one or two vectors of output channels, and
// weights were packed in panels as wide; for the weights' gradient it is some output channels by two vectors of numbers
// under the window. An element is one chain of fused multiply-adds, in an order that depends on the image's shape
// alone. Limit: the two FMA units; one vector per tile, of 16 output channels, loads a number for each FMA.
#include "core/cpu/kernels/panel.h"
#include "core/cpu/kernels/variant.h"

#if defined(__AVX2__)
namespace rz::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int most_pixels = 8, most_pixels_narrow = 16, most_channels = 8, most_vectors = 3;
#else
constexpr int most_pixels = 6, most_pixels_narrow = 8, most_channels = 6, most_vectors = 2;
#endif

template <class T>
struct PixelTile {
  const T *x, *panel;
  T* y;
  std::int64_t channels;  // of y that are written, at most the panel's width
};

// `step` elements from one output's window to the next, 0 where only the block knows.
template <class T, int pixels, int vectors, int step>
[[gnu::noinline]] void forward_tile(const PixelTile<T>& tile, const ConvolutionBlock& block) {
  constexpr int n = lanes<T>;
  const std::int64_t x_step = step ? step : block.x_step;
  Vector<T> sum[pixels][vectors] = {};
  const T* panel = tile.panel;
  for (std::int64_t k = 0; k < block.kernel_rows; ++k) {
    const T* x = tile.x + k * block.x_row;
    for (const T* end = x + block.run; x != end; ++x, panel += vectors * n) {
      Vector<T> weight[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) weight[v] = load_vector(panel + v * n);
#pragma GCC unroll 16
      for (int p = 0; p < pixels; ++p) {
        const T number = x[p * x_step];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sum[p][v] += number * weight[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < pixels; ++p) {
    T* y = tile.y + p * block.channels;
    if (tile.channels == vectors * n) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        if (block.accumulate) sum[p][v] += load_vector(y + v * n);
        __builtin_memcpy(y + v * n, &sum[p][v], sizeof sum[p][v]);
      }
      continue;
    }
    T all[vectors * n];
    __builtin_memcpy(all, sum[p], sizeof all);
    for (std::int64_t c = 0; c < tile.channels; ++c) y[c] = block.accumulate ? y[c] + all[c] : all[c];
  }
}

template <class T>
using PixelFunction = void (*)(const PixelTile<T>&, const ConvolutionBlock&);
template <class T, int vectors>
PixelFunction<T> tile_of(std::int64_t pixels) {
  static constexpr PixelFunction<T> functions[] = {forward_tile<T, 1, vectors, 0>, forward_tile<T, 2, vectors, 0>,
                                                   forward_tile<T, 3, vectors, 0>, forward_tile<T, 4, vectors, 0>,
                                                   forward_tile<T, 5, vectors, 0>, forward_tile<T, 6, vectors, 0>,
                                                   forward_tile<T, 7, vectors, 0>, forward_tile<T, 8, vectors, 0>};
  return functions[pixels - 1];
}

// The tile for all outputs of a row, if there is one that is wider than the others.
template <class T>
PixelFunction<T> wide_tile(const ConvolutionBlock& block, int vectors) {
  constexpr int step = 16;  // channels of the first stage
  const bool fits = vectors == 1 && block.x_step == step && block.pixels % most_pixels_narrow == 0;
  return fits ? forward_tile<T, most_pixels_narrow, 1, step> : nullptr;
}

template <class T>
void forward(const ConvolutionBlock& block) {
  constexpr int n = lanes<T>;
  const int vectors = block.channels <= n ? 1 : 2;
  const PixelFunction<T> wide = wide_tile<T>(block, vectors);
  const std::int64_t most = wide ? most_pixels_narrow : most_pixels, tiles = (block.pixels + most - 1) / most;
  const std::int64_t panel = block.kernel_rows * block.run * vectors * n;
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* const x = static_cast<const T*>(block.x) + row * block.x_down;
    T* const y = static_cast<T*>(block.y) + row * block.pixels * block.channels;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t first = t * block.pixels / tiles, pixels = (t + 1) * block.pixels / tiles - first;
      const PixelFunction<T> function = wide ? wide : vectors == 1 ? tile_of<T, 1>(pixels) : tile_of<T, 2>(pixels);
      PixelTile<T> tile{x + first * block.x_step, static_cast<const T*>(block.panels), y + first * block.channels, 0};
      for (std::int64_t c = 0; c < block.channels; c += vectors * n, tile.panel += panel, tile.y += vectors * n) {
        tile.channels = block.channels - c < vectors * n ? block.channels - c : vectors * n;
        function(tile, block);
      }
    }
  }
}

// ---- the weights' gradient: d_w [channels of y, kernel_rows, run padded to `padded`] ----

template <class T>
struct WeightTile {
  const T *x, *d_y;
  T* d_w;
};

template <class T, int channels, int vectors>
[[gnu::noinline]] void weight_tile(const WeightTile<T>& tile, const ConvolutionBlock& block, std::int64_t d_w_row) {
  constexpr int n = lanes<T>;
  Vector<T> sum[channels][vectors] = {};
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* x = tile.x + row * block.x_down;
    const T* d_y = tile.d_y + row * block.pixels * block.channels;
    for (std::int64_t p = 0; p < block.pixels; ++p, x += block.x_step, d_y += block.channels) {
      Vector<T> numbers[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) numbers[v] = load_vector(x + v * n);
#pragma GCC unroll 8
      for (int c = 0; c < channels; ++c) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) sum[c][v] += d_y[c] * numbers[v];
      }
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < channels; ++c) {
    T* d_w = tile.d_w + c * d_w_row;
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Vector<T> more = load_vector(d_w + v * n) + sum[c][v];
      __builtin_memcpy(d_w + v * n, &more, sizeof more);
    }
  }
}

template <class T>
using WeightFunction = void (*)(const WeightTile<T>&, const ConvolutionBlock&, std::int64_t);
template <class T, int vectors>
WeightFunction<T> weight_tile_of(std::int64_t channels) {
  static constexpr WeightFunction<T> functions[] = {
      weight_tile<T, 1, vectors>, weight_tile<T, 2, vectors>, weight_tile<T, 3, vectors>, weight_tile<T, 4, vectors>,
      weight_tile<T, 5, vectors>, weight_tile<T, 6, vectors>, weight_tile<T, 7, vectors>, weight_tile<T, 8, vectors>};
  return functions[channels - 1];
}

// Rows that stay in the first-level cache go through all tiles together.
constexpr std::int64_t bytes_of_strip = 16 * 1024;

template <class T>
void weights(const ConvolutionBlock& whole, const void* d_y, void* d_w, std::int64_t padded) {
  constexpr int n = lanes<T>;
  const std::int64_t row_bytes = whole.pixels * (whole.channels + whole.x_step) * std::int64_t{sizeof(T)};
  const std::int64_t strip = row_bytes < bytes_of_strip ? bytes_of_strip / row_bytes : 1;
  const std::int64_t groups = (whole.channels + most_channels - 1) / most_channels;
  const std::int64_t d_w_row = whole.kernel_rows * padded;
  for (std::int64_t first = 0; first < whole.rows; first += strip) {
    ConvolutionBlock block = whole;
    block.rows = whole.rows - first < strip ? whole.rows - first : strip;
    const T* const x = static_cast<const T*>(whole.x) + first * whole.x_down;
    const T* const gradient = static_cast<const T*>(d_y) + first * whole.pixels * whole.channels;
    for (std::int64_t k = 0; k < whole.kernel_rows; ++k) {
      for (std::int64_t i = 0; i < padded;) {
        const std::int64_t left = (padded - i) / n;
        const int vectors = left >= most_vectors && left != 4 ? most_vectors : left >= 2 ? 2 : 1;
        for (std::int64_t g = 0; g < groups; ++g) {
          const std::int64_t c = g * whole.channels / groups, channels = (g + 1) * whole.channels / groups - c;
          const WeightFunction<T> function = vectors == 3   ? weight_tile_of<T, 3>(channels)
                                             : vectors == 2 ? weight_tile_of<T, 2>(channels)
                                                            : weight_tile_of<T, 1>(channels);
          function({x + k * whole.x_row + i, gradient + c, static_cast<T*>(d_w) + c * d_w_row + k * padded + i}, block,
                   d_w_row);
        }
        i += vectors * n;
      }
    }
  }
}

}  // namespace

namespace RZ_ISA {
constinit const ConvolutionKernels convolution_kernels = {
    .lanes = {lanes<float>, lanes<double>},
    .forward = {forward<float>, forward<double>},
    .weights = {weights<float>, weights<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
#else
namespace rz::cpu::RZ_ISA {
constinit const ConvolutionKernels convolution_kernels = {};  // without fused multiply-add products serve as well
}  // namespace rz::cpu::RZ_ISA
#endif
