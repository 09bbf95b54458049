// Convolutions, image by image. An image is copied with its border of zeros, so that kernels know no edges; the copy
// stays in the second-level cache. The gradient of an image is the convolution of d_y, spread by the stride and with
// the border that the window leaves, with the kernels turned round and their channels exchanged.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

constexpr std::int64_t most_groups = 16;  // of images, whose weights' gradients are added apart
constexpr std::int64_t least_pieces = 16;

struct Weights {  // [out, in, height, width]
  std::int64_t out, in, height, width;
  explicit Weights(const Shape& shape) : out(shape[0]), in(shape[1]), height(shape[2]), width(shape[3]) {}
};

// Where an image's pixels go in a larger one of zeros: pixel (r, c) to (r * stride + offset, ...), if that is inside.
struct Frame {
  std::int64_t height, width, channels;
  std::array<std::int64_t, 2> stride{1, 1}, offset{0, 0};
  std::int64_t row() const { return width * channels; }
  std::int64_t elements() const { return height * row(); }
};

// x [height, width, channels] in the frame's rows [first, first + count).
void put(const Frame& frame, const void* x, std::int64_t height, std::int64_t width, std::int64_t first,
         std::int64_t count, DType type, void* to) {
  const auto bytes = [&](std::int64_t pixels) {
    return static_cast<std::size_t>(pixels * frame.channels) * size_of(type);
  };
  const std::int64_t left = std::clamp<std::int64_t>(frame.offset[1], 0, frame.width);
  const std::int64_t right = std::clamp<std::int64_t>(width + frame.offset[1], left, frame.width);
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t down = first + row - frame.offset[0], r = down / frame.stride[0];
    void* const target = at(to, row * frame.row(), type);
    if (down < 0 || r * frame.stride[0] != down || r >= height) {
      std::memset(target, 0, bytes(frame.width));
      continue;
    }
    const void* const from = at(x, r * width * frame.channels, type);
    if (frame.stride[1] == 1) {
      std::memset(target, 0, bytes(left));
      std::memcpy(at(target, left * frame.channels, type), at(from, (left - frame.offset[1]) * frame.channels, type),
                  bytes(right - left));
      std::memset(at(target, right * frame.channels, type), 0, bytes(frame.width - right));
      continue;
    }
    std::memset(target, 0, bytes(frame.width));
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t column = c * frame.stride[1] + frame.offset[1];
      if (column >= 0 && column < frame.width)
        std::memcpy(at(target, column * frame.channels, type), at(from, c * frame.channels, type), bytes(1));
    }
  }
}

// The matrix [height, width, inputs] by outputs in panels as wide as the kernels want them: of the convolution, or of
// the one that gives d_x.
template <class T>
void pack_weights(const T* weight, const Weights& w, bool turned, std::int64_t width, T* panels) {
  const std::int64_t outputs = turned ? w.in : w.out, inputs = turned ? w.out : w.in;
  const std::int64_t depth = w.height * w.width * inputs, plane = w.height * w.width;
  parallel_ranges(ceil_div(outputs, width), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      T* to = panels + p * depth * width;
      for (std::int64_t position = 0; position < plane; ++position) {
        const T* const from = weight + (turned ? plane - 1 - position : position);
        for (std::int64_t i = 0; i < inputs; ++i, to += width) {
          for (std::int64_t j = 0; j < width; ++j) {
            const std::int64_t o = p * width + j;
            to[j] = o < outputs ? from[(turned ? i * w.in + o : o * w.in + i) * plane] : T(0);
          }
        }
      }
    }
  });
}

// A convolution [n, height, width, inputs] -> [n, places, places, outputs] by its frame and packed weights.
struct Plan {
  Frame frame;                         // of an image
  std::int64_t height, width;          // of an image
  std::int64_t places, places_across;  // of windows
  std::int64_t outputs, kernel_height, run;
  std::array<std::int64_t, 2> step;  // of the window in the frame
  std::int64_t panel_width;
  DType type;
  const void* panels = nullptr;

  std::int64_t framed_rows(std::int64_t count) const { return (count - 1) * step[0] + kernel_height; }
  std::int64_t depth() const { return kernel_height * run; }
  std::size_t scratch(std::int64_t rows) const {  // kernels may read two vectors more
    return (static_cast<std::size_t>(framed_rows(rows) * frame.row()) + 64) * size_of(type);
  }
  ConvolutionBlock block(const void* framed, std::int64_t rows) const {
    return {.x = framed,
            .panels = panels,
            .y = nullptr,
            .rows = rows,
            .pixels = places_across,
            .channels = outputs,
            .kernel_rows = kernel_height,
            .run = run,
            .x_row = frame.row(),
            .x_down = step[0] * frame.row(),
            .x_step = step[1] * frame.channels,
            .accumulate = false};
  }
  // Rows [first, first + rows) of an image's outputs.
  ConvolutionBlock framed(const void* image, std::int64_t first, std::int64_t rows, char* scratch) const {
    put(frame, image, height, width, first * step[0], framed_rows(rows), type, scratch);
    return block(scratch, rows);
  }
};

std::int64_t panel_width(const Kernels& k, std::int64_t outputs, std::size_t real) {
  const std::int64_t lanes = k.convolution->lanes[real];
  return outputs <= lanes ? lanes : 2 * lanes;
}

void* packed(const Operand& weight, bool turned, std::int64_t width, Workspace& w) {
  const Weights shape(weight.shape);
  const std::int64_t outputs = turned ? shape.in : shape.out, inputs = turned ? shape.out : shape.in;
  const std::int64_t elements = ceil_div(outputs, width) * width * shape.height * shape.width * inputs;
  void* const panels = w.bytes(static_cast<std::size_t>(elements) * size_of(weight.dtype));
  if (weight.dtype == DType::f32)
    pack_weights(static_cast<const float*>(weight.data), shape, turned, width, static_cast<float*>(panels));
  else
    pack_weights(static_cast<const double*>(weight.data), shape, turned, width, static_cast<double*>(panels));
  return panels;
}

Plan forward_plan(const Kernels& k, const Operand& x, const Weights& weights, const Window& window) {
  const Shape& s = x.shape;
  Plan plan{.frame = {s[1] + 2 * window.padding[0], s[2] + 2 * window.padding[1], s[3], {1, 1}, window.padding},
            .height = s[1],
            .width = s[2],
            .places = window.places(0, s[1]),
            .places_across = window.places(1, s[2]),
            .outputs = weights.out,
            .kernel_height = weights.height,
            .run = weights.width * s[3],
            .step = window.stride,
            .panel_width = panel_width(k, weights.out, real_index(x.dtype)),
            .type = x.dtype};
  return plan;
}

// Of d_x from d_y.
Plan turned_plan(const Kernels& k, const Operand& x, const Operand& d_y, const Weights& weights, const Window& window) {
  const Shape &s = x.shape, &p = d_y.shape;
  Plan plan{.frame = {s[1] + weights.height - 1,
                      s[2] + weights.width - 1,
                      weights.out,
                      window.stride,
                      {weights.height - 1 - window.padding[0], weights.width - 1 - window.padding[1]}},
            .height = p[1],
            .width = p[2],
            .places = s[1],
            .places_across = s[2],
            .outputs = weights.in,
            .kernel_height = weights.height,
            .run = weights.width * weights.out,
            .step = {1, 1},
            .panel_width = panel_width(k, weights.in, real_index(x.dtype)),
            .type = x.dtype};
  return plan;
}

// [out, height, padded (width, in)] -> d_weight [out, in, height, width].
template <class T>
void unpack_gradient(const T* packed, const Weights& w, std::int64_t padded, T* d_weight, bool accumulate) {
  const std::int64_t plane = w.height * w.width;
  parallel_ranges(w.out, rows_per_grain(w.in * plane), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      for (std::int64_t position = 0; position < plane; ++position) {
        const T* const from = packed + (o * w.height + position / w.width) * padded + position % w.width * w.in;
        T* const to = d_weight + o * w.in * plane + position;
        for (std::int64_t i = 0; i < w.in; ++i) to[i * plane] = accumulate ? to[i * plane] + from[i] : from[i];
      }
    }
  });
}

}  // namespace

void CpuBackend::conv2d(const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w) {
  const std::size_t real = real_index(x.dtype);
  const auto kernel = kernels_.convolution->forward[real];
  if (!kernel) return Backend::conv2d(x, weight, window, y, w);
  if (y.shape.elements() == 0) return;
  Plan plan = forward_plan(kernels_, x, Weights(weight.shape), window);
  plan.panels = packed(weight, false, plan.panel_width, w);
  const std::int64_t images = x.shape[0], strips = std::min(plan.places, ceil_div(least_pieces, images));
  const std::int64_t rows = ceil_div(plan.places, strips);
  for_pieces_with_scratch(x.dtype, images * strips, plan.scratch(rows), w, [&](std::int64_t piece, char* scratch) {
    const std::int64_t image = piece / strips, first = piece % strips * rows;
    if (first >= plan.places) return;
    const void* const from = at(x.data, image * x.shape[1] * x.shape[2] * x.shape[3], x.dtype);
    ConvolutionBlock block = plan.framed(from, first, std::min(rows, plan.places - first), scratch);
    block.y = at(y.data, (image * plan.places + first) * plan.places_across * plan.outputs, y.dtype);
    block.accumulate = y.accumulate;
    kernel(block);
  });
}

void CpuBackend::conv2d_vjp(const Operand& x, const Operand& weight, const Window& window, const Operand& d_y,
                            const Target& d_x, const Target& d_weight, Workspace& w) {
  const std::size_t real = real_index(x.dtype);
  const ConvolutionKernels& k = *kernels_.convolution;
  if (!k.forward[real] || d_y.shape.elements() == 0)
    return Backend::conv2d_vjp(x, weight, window, d_y, d_x, d_weight, w);
  const Weights shape(weight.shape);
  const Plan forward = forward_plan(kernels_, x, shape, window);
  Plan turned = turned_plan(kernels_, x, d_y, shape, window);
  if (d_x.data) turned.panels = packed(weight, true, turned.panel_width, w);
  const std::int64_t images = x.shape[0], groups = std::min(images, most_groups);
  const std::int64_t padded = ceil_div(forward.run, k.lanes[real]) * k.lanes[real];
  const std::int64_t size = shape.out * shape.height * padded;  // of a group's d_weight
  void* const partial = d_weight.data ? w.bytes(static_cast<std::size_t>(groups * size) * size_of(x.dtype)) : nullptr;
  const std::int64_t x_image = x.shape[1] * x.shape[2] * x.shape[3], y_image = d_y.shape.elements() / images;
  const std::size_t bytes = std::max(forward.scratch(forward.places), turned.scratch(turned.places));
  for_pieces_with_scratch(x.dtype, groups, bytes, w, [&](std::int64_t group, char* scratch) {
    void* const d_w = partial ? at(partial, group * size, x.dtype) : nullptr;
    if (d_w) std::memset(d_w, 0, static_cast<std::size_t>(size) * size_of(x.dtype));
    for (std::int64_t image = group * images / groups; image < (group + 1) * images / groups; ++image) {
      const void* const gradient = at(d_y.data, image * y_image, x.dtype);
      if (d_w)
        k.weights[real](forward.framed(at(x.data, image * x_image, x.dtype), 0, forward.places, scratch), gradient, d_w,
                        padded);
      if (!d_x.data) continue;
      ConvolutionBlock block = turned.framed(gradient, 0, turned.places, scratch);
      block.y = at(d_x.data, image * x_image, x.dtype);
      block.accumulate = d_x.accumulate;
      k.forward[real](block);
    }
  });
  if (!partial) return;
  const auto add = kernels_.elementwise->scale[real];
  for_ranges(x.dtype, size, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t group = 1; group < groups; ++group)
      add(1, at(partial, group * size + begin, x.dtype), at(partial, begin, x.dtype), end - begin, true);
  });
  if (x.dtype == DType::f32)
    unpack_gradient(static_cast<const float*>(partial), shape, padded, static_cast<float*>(d_weight.data),
                    d_weight.accumulate);
  else
    unpack_gradient(static_cast<const double*>(partial), shape, padded, static_cast<double*>(d_weight.data),
                    d_weight.accumulate);
}

}  // namespace rz::cpu
