#include "nn/models/resnet.h"

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "nn/init.h"
#include "nn/models/residual_block.h"

namespace rz::nn {

namespace {

constexpr std::int64_t stages_of_resnet = 3, first_channels = 16, matrices = 2;
constexpr const char* stage_names[] = {"layer1", "layer2", "layer3"};

bool relu_after_sum(Form form) {
  return form == Form::residual || form == Form::deep || form == Form::gated || form == Form::zero_gamma ||
         form == Form::zero_projection || form == Form::fixup;
}

void check(const ResNetOptions& o) {
  RZ_CHECK(value, o.layers >= 8 && (o.layers - 2) % 6 == 0,
           "resnet: {} layers were asked for, but these networks have 6 n + 2, at least 8 (20, 32, 44, 56, 110, 1202)",
           o.layers);
  for (const int side : {1, 2})
    RZ_CHECK(value, o.image.inputs[side] % 4 == 0,
             "resnet: images {} have a side of {}, but the two strides of 2 need sides divisible by 4", o.image.inputs,
             o.image.inputs[side]);
  check_block_form("resnet", o.residual, o.batch_norm);
}

// Every second pixel, and zeros for the channels that are new (He et al. 2015, option A).
Variable shortcut(const Variable& x, std::int64_t channels) {
  const std::int64_t more = channels - x.shape()[3];
  return pad(subsample(x, 2), 3, more / 2, more - more / 2);
}

}  // namespace

class ResNet::Block {
 public:
  Block(ParameterStore& store, const ResNetOptions& o, std::int64_t index)
      : per_stage_((o.layers - 2) / 6),
        stage_(index / per_stage_),
        index_(index % per_stage_),
        channels_(first_channels << stage_),
        halves_(stage_ > 0 && index_ == 0),
        relu_last_(relu_after_sum(o.residual.form)),
        prefix_(std::string(stage_names[stage_]) + "." + std::to_string(index_) + "."),
        group_(block_connection(prefix_, channels_, index, stages_of_resnet * per_stage_, matrices)),
        conv1_(store, prefix_ + "conv1", conv_options(o, halves_ ? channels_ / 2 : channels_, halves_ ? 2 : 1, false)),
        bn1_(norm(store, o, "bn1", 1)),
        conv2_(store, prefix_ + "conv2", conv_options(o, channels_, 1, true)),
        bn2_(norm(store, o, "bn2", last_gain(o.residual))),
        residual_(store, o.residual, group_) {
    if (!row(o.residual.form).scalar_biases) return;
    bias1b_ = store.declare(prefix_ + "bias1b", {1}, Role::bias, init::constant(0));
    bias2a_ = store.declare(prefix_ + "bias2a", {1}, Role::bias, init::constant(0));
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  Variable forward(const Variable& x, bool training) const {
    const Scope scope(stage_names[stage_], index_);
    const Variable y = residual_.around(
        x, 0, [&](const Variable& z) { return std::pair(halves_ ? shortcut(x, channels_) : x, branch(z, training)); });
    return relu_last_ ? relu(y) : y;
  }
  const Residual& residual() const { return residual_; }
  template <class F>
  void each_norm(F&& f) const {
    if (bn1_) f(*bn1_);
    if (bn2_) f(*bn2_);
  }

 private:
  Conv2dOptions conv_options(const ResNetOptions& o, std::int64_t inputs, std::int64_t stride, bool last) const {
    const Form form = o.residual.form;
    return {.inputs = inputs,
            .outputs = channels_,
            .stride = stride,
            .bias = !o.batch_norm && !row(form).scalar_biases,
            .weight_init = block_kernel_init({channels_, inputs, 3, 3}, form, group_.first, last)};
  }
  std::unique_ptr<BatchNorm> norm(ParameterStore& store, const ResNetOptions& o, const char* name, double gain) const {
    return o.batch_norm ? block_norm(store, prefix_ + name, channels_, gain) : nullptr;
  }
  Variable branch(const Variable& z, bool training) const {
    Variable h = conv1_.forward(z);
    if (bias1b_.defined()) h = add(h, bias1b_);
    h = normed(bn1_.get(), h, training);
    if (bias2a_.defined()) h = add(h, bias2a_);
    h = conv2_.forward(h);
    if (!relu_last_) return normed(bn2_.get(), h, training);
    return bn2_ ? bn2_->forward(h, training) : h;
  }

  std::int64_t per_stage_, stage_, index_, channels_;
  bool halves_, relu_last_;
  std::string prefix_;
  ConnectionGroup group_;
  Conv2d conv1_;
  std::unique_ptr<BatchNorm> bn1_;
  Conv2d conv2_;
  std::unique_ptr<BatchNorm> bn2_;
  Residual residual_;
  Parameter bias1b_, bias2a_;
};

ResNet::ResNet(const ResNetOptions& options) : ImageModel("resnet", options.image), options_(options) {
  check(options_);
  ParameterStore& store = *store_;
  const bool fixup = row(options_.residual.form).scalar_biases;
  conv1_ = std::make_unique<Conv2d>(
      store, "conv1",
      Conv2dOptions{
          .inputs = options_.image.inputs[0], .outputs = first_channels, .bias = !options_.batch_norm && !fixup});
  if (options_.batch_norm) {
    bn1_ = std::make_unique<BatchNorm>(store, "bn1", first_channels);
    keep(*bn1_);
  }
  if (fixup) bias1_ = store.declare("bias1", {1}, Role::bias, init::constant(0));
  for (std::int64_t i = 0; i < (options_.layers - 2) / 2; ++i) {
    blocks_.push_back(std::make_unique<Block>(store, options_, i));
    blocks_.back()->each_norm([this](const BatchNorm& norm) { keep(norm); });
  }
  const std::int64_t channels = first_channels << (stages_of_resnet - 1);
  if (fixup) {
    bias2_ = store.declare("bias2", {1}, Role::bias, init::constant(0));
    declare_linear(channels, init::constant(0), init::constant(0));
  } else {
    declare_linear(channels, init::named("kaiming_normal", {options_.image.outputs, channels}));
  }
}

ResNet::~ResNet() = default;

Variable ResNet::stem(const Variable& images) const {
  const Scope scope("conv1");
  Variable h = conv1_->forward(images);
  if (bn1_) return bn1_->forward(h, training(), ScalarFunction::relu);
  if (bias1_.defined()) h = add(h, bias1_);
  return relu(h);
}

Variable ResNet::block(const Variable& x, std::int64_t i) const {
  return blocks_[static_cast<std::size_t>(i)]->forward(x, training());
}

Variable ResNet::before_linear(const Variable& x) const { return bias2_.defined() ? add(x, bias2_) : x; }

std::string ResNet::formula() const {
  std::string sum = formula_text(options_.residual);
  if (!relu_after_sum(options_.residual.form)) return sum;
  const std::size_t end = std::min(sum.find(", "), sum.size());
  return "relu(" + sum.substr(0, end) + ")" + sum.substr(end);
}

std::string ResNet::constants() const {
  const ResidualOptions& o = options_.residual;
  return constants_text(o.form, blocks_.front()->residual().position(0), o.skip, o.injection);
}

std::vector<Parameter> ResNet::residual_weights() const { return gates_of(blocks_); }

}  // namespace rz::nn
