// Windows over images, [n, height, width, channels]: what the numbers of one row of a window have in common is that
// they stand side by side.
#include <algorithm>
#include <cstring>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

// f(image's first element of a row in the window, the window's element, count) for each row of each window in rows
// [begin, end) of places, counted over all images; rows of the window that lie outside are left out.
struct WindowRows {
  Shape x, places;
  Window window;

  template <class F>
  void each(std::int64_t begin, std::int64_t end, F&& f) const {
    const std::int64_t channels = x[3];
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t image = line / places[1], top = line % places[1] * window.stride[0] - window.padding[0];
      for (std::int64_t place = 0; place < places[2]; ++place) {
        const std::int64_t left = place * window.stride[1] - window.padding[1];
        const std::int64_t first = std::max<std::int64_t>(0, -left);
        const std::int64_t last = std::min(window.kernel[1], x[2] - left);
        for (std::int64_t k = 0; k < window.kernel[0] && first < last; ++k) {
          const std::int64_t row = top + k;
          if (row < 0 || row >= x[1]) continue;
          f(((image * x[1] + row) * x[2] + left + first) * channels,
            (((line * places[2] + place) * window.kernel[0] + k) * window.kernel[1] + first) * channels,
            (last - first) * channels);
        }
      }
    }
  }
  std::int64_t lines() const { return x[0] * places[1]; }
  std::int64_t line_elements() const { return places[2] * window.size() * x[3]; }
};

WindowRows rows_of(const Shape& x, const Window& window) { return {x, window.places(x), window}; }

template <class T>
std::int64_t largest_in_window(const T* x, const Shape& shape, const Window& window, std::int64_t image,
                               std::int64_t top, std::int64_t left, std::int64_t channel) {
  std::int64_t best = -1;
  for (std::int64_t row = std::max<std::int64_t>(0, top); row < std::min(shape[1], top + window.kernel[0]); ++row) {
    for (std::int64_t column = std::max<std::int64_t>(0, left); column < std::min(shape[2], left + window.kernel[1]);
         ++column) {
      const std::int64_t i = ((image * shape[1] + row) * shape[2] + column) * shape[3] + channel;
      if (best < 0 || x[i] > x[best] || (x[i] != x[i] && x[best] == x[best])) best = i;
    }
  }
  return best;
}

template <class T>
void largest_in_lines(const T* x, const WindowRows& rows, std::int64_t begin, std::int64_t end, std::int64_t* y) {
  const std::int64_t channels = rows.x[3];
  for (std::int64_t line = begin; line < end; ++line) {
    const std::int64_t image = line / rows.places[1],
                       top = line % rows.places[1] * rows.window.stride[0] - rows.window.padding[0];
    for (std::int64_t place = 0; place < rows.places[2]; ++place) {
      const std::int64_t left = place * rows.window.stride[1] - rows.window.padding[1];
      for (std::int64_t channel = 0; channel < channels; ++channel)
        y[(line * rows.places[2] + place) * channels + channel] =
            largest_in_window(x, rows.x, rows.window, image, top, left, channel);
    }
  }
}

}  // namespace

void CpuBackend::unfold(const Operand& x, const Window& window, const Target& y) {
  const WindowRows rows = rows_of(x.shape, window);
  const auto add = kernels_.elementwise->scale[real_index(x.dtype)];
  for_ranges(x.dtype, rows.lines(), rows_per_grain(rows.line_elements()), [&](std::int64_t begin, std::int64_t end) {
    void* const to = at(y.data, begin * rows.line_elements(), y.dtype);
    if (!y.accumulate)
      std::memset(to, 0, static_cast<std::size_t>((end - begin) * rows.line_elements()) * size_of(y.dtype));
    rows.each(begin, end, [&](std::int64_t from, std::int64_t at_window, std::int64_t count) {
      add(1, at(x.data, from, x.dtype), at(y.data, at_window, y.dtype), count, y.accumulate);
    });
  });
}

void CpuBackend::fold(const Operand& d_y, const Window& window, const Target& d_x) {
  const WindowRows rows = rows_of(d_x.shape, window);
  const auto add = kernels_.elementwise->scale[real_index(d_x.dtype)];
  const std::int64_t image = d_x.shape[1] * d_x.shape[2] * d_x.shape[3];
  for_pieces(d_x.dtype, d_x.shape[0], [&](std::int64_t n) {  // windows of one image overlap
    if (!d_x.accumulate)
      std::memset(at(d_x.data, n * image, d_x.dtype), 0, static_cast<std::size_t>(image) * size_of(d_x.dtype));
    rows.each(n * rows.places[1], (n + 1) * rows.places[1],
              [&](std::int64_t to, std::int64_t at_window, std::int64_t count) {
                add(1, at(d_y.data, at_window, d_y.dtype), at(d_x.data, to, d_x.dtype), count, true);
              });
  });
}

void CpuBackend::largest_in_windows(const Operand& x, const Window& window, const Target& y) {
  const WindowRows rows = rows_of(x.shape, window);
  auto* const indices = static_cast<std::int64_t*>(y.data);
  for_ranges(x.dtype, rows.lines(), rows_per_grain(rows.line_elements()), [&](std::int64_t begin, std::int64_t end) {
    if (x.dtype == DType::f32)
      largest_in_lines(static_cast<const float*>(x.data), rows, begin, end, indices);
    else
      largest_in_lines(static_cast<const double*>(x.data), rows, begin, end, indices);
  });
}

}  // namespace rz::cpu
