#include "nn/models/image_model.h"

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
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
  return linear_->forward(before_linear(global_average_pool(before_pool(x))));
}

Variable ImageModel::forward(const Variable& x) const {
  Variable h = stem(images_of(x));
  for (std::int64_t i = 0; i < blocks(); ++i) h = block(h, i);
  return head(h);
}

Stages ImageModel::stages() const {
  Stages chain;
  chain.input = [this](const Variable& x) { return stem(images_of(x)); };
  for (std::int64_t i = 0; i < blocks(); ++i)
    chain.stages.emplace_back([this, i](const Variable& x) { return block(x, i); });
  chain.output = [this](const Variable& x) { return head(x); };
  return chain;
}

void ImageModel::update_statistics(const StepState& state) const {
  for (const BatchNorm* norm : norms_) norm->update_statistics(state);
}

}  // namespace rz::nn
