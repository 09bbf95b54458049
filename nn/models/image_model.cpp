#include "nn/models/image_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/error.h"
#include "core/memory.h"
#include "nn/init.h"

namespace rz::nn {

ImageModel::ImageModel(const char* name, const ImageOptions& options) : name_(name), image_(options) {
  RZ_CHECK(value, options.inputs.rank() == 3 && options.inputs.elements() >= 1,
           "{}: inputs {} were given, but images are [channels, height, width]", name, options.inputs);
  RZ_CHECK(value, options.outputs >= 1, "{}: {} outputs were given, but there must be at least one", name,
           options.outputs);
}

void ImageModel::declare_linear(std::int64_t channels, const Initializer& weight_init, const Initializer& bias_init) {
  linear_ = std::make_unique<Linear>(
      *store_, "linear",
      LinearOptions{.inputs = channels, .outputs = image_.outputs, .weight_init = weight_init, .bias_init = bias_init});
}

// [n, height, width, channels]
Variable ImageModel::images_of(const Variable& x) const {
  const Shape& one = image_.inputs;
  RZ_CHECK(shape, x.shape().rank() >= 1 && x.value().elements() == x.shape()[0] * one.elements(),
           "{}: x {} must be [n, {}] or [n] and the axes of {}", name_, x.shape(), one.elements(), one);
  const int channels_last[] = {0, 2, 3, 1};
  return permute(reshape(x, one.prepended(x.shape()[0])), channels_last);
}

Variable ImageModel::head(const Variable& x) const {
  const Scope scope("linear");
  return linear_->forward(before_linear(global_average_pool(x)));
}

Variable ImageModel::run(const Variable& x, std::int64_t first, std::int64_t last) const {
  Variable h = x;
  for (std::int64_t i = first; i < last; ++i) h = block(h, i);
  return h;
}

Variable ImageModel::hidden(const Variable& x_0) const {
  Variable h = x_0;
  for (std::int64_t first = 0; first < recomputed_.end; first += recomputed_.length) {
    const std::int64_t last = std::min(first + recomputed_.length, recomputed_.end);
    h = checkpoint([this, first, last](const Variable& y) { return run(y, first, last); }, h);
  }
  return run(h, recomputed_.end, blocks());
}

Variable ImageModel::forward(const Variable& x) const { return head(hidden(stem(images_of(x)))); }

// Of a forward pass that a tape records: the memory that is in use grows by what a block keeps.
ImageModel::BlockBytes ImageModel::measure_blocks() const {
  const Pool& memory = pool(store_->device());
  const Tape tape;
  BlockBytes bytes;
  Variable h = stem(images_of(Variable(Tensor::zeros(image_.inputs.prepended(1), store_->dtype(), store_->device()))));
  const auto n = static_cast<std::size_t>(blocks());
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t before = memory.statistics().bytes_in_use;
    bytes.inputs.push_back(static_cast<std::int64_t>(h.value().bytes()));
    h = block(h, static_cast<std::int64_t>(i));
    const auto size = static_cast<std::int64_t>(h.value().bytes());
    bytes.kept.try_emplace(size, n + 1, 0).first->second[i + 1] = memory.statistics().bytes_in_use - before;
  }
  for (auto& [size, kept] : bytes.kept) {
    bytes.moment += 2 * *std::ranges::max_element(kept);
    std::partial_sum(kept.begin(), kept.end(), kept.begin());
  }
  return bytes;
}

// The pool reuses memory by its size, so blocks whose outputs differ in size share none: their peaks add up.
std::int64_t ImageModel::BlockBytes::in_step(Segments again) const {
  const auto end = static_cast<std::size_t>(again.end), length = static_cast<std::size_t>(again.length);
  std::int64_t bytes = moment;
  for (std::size_t first = 0; first < end; first += length) bytes += inputs[first];
  for (const auto& [size, before] : kept) {
    std::int64_t peak = before.back() - before[end];
    for (std::size_t first = 0; first < end; first += length)
      peak = std::max(peak, before[std::min(first + length, end)] - before[first]);
    bytes += peak;
  }
  return bytes;
}

std::int64_t ImageModel::fit_memory(std::int64_t bytes, std::int64_t batch) {
  RZ_CHECK(value, is_chain(), "{}: every layer of {} looks back at the first hidden state, so none can be run again",
           name_, formula());
  const BlockBytes one = measure_blocks();
  const std::int64_t parameters = 3 * static_cast<std::int64_t>(store_->values().bytes());
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t end = 0; end <= blocks(); ++end) {
    for (std::int64_t length = 1; length <= std::max<std::int64_t>(1, end); ++length) {
      const std::int64_t needed = parameters + batch * one.in_step({end, length});
      least = std::min(least, needed);
      if (needed > bytes) continue;
      recomputed_ = {end, length};
      return end;
    }
  }
  throw BudgetError(
      fmt::format("{}: a step of {} images is estimated at {} bytes where every block is computed twice, the budget is "
                  "{}",
                  name_, batch, least, bytes),
      least);
}

Stages ImageModel::stages() const {
  Stages chain;
  chain.input = [this](const Variable& x) { return stem(images_of(x)); };
  chain.chain = is_chain();
  if (!chain.chain) {
    chain.stages.emplace_back([this](const Variable& x_0) { return hidden(x_0); });
  } else {
    for (std::int64_t i = 0; i < blocks(); ++i)
      chain.stages.emplace_back([this, i](const Variable& x) { return block(x, i); });
  }
  chain.output = [this](const Variable& x) { return head(x); };
  return chain;
}

void ImageModel::update_statistics(const StepState& state) const {
  for (const BatchNorm* norm : norms_) norm->update_statistics(state);
}

}  // namespace rz::nn
