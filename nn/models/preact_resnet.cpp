#include "nn/models/preact_resnet.h"

#include <array>

#include "autograd/record.h"
#include "core/error.h"
#include "nn/init.h"
#include "nn/models/residual_block.h"

namespace rz::nn {

namespace {

constexpr std::int64_t width_of_stem = 64;
constexpr const char* preact_stages[] = {"layer1", "layer2", "layer3", "layer4"};

struct Architecture {
  std::int64_t layers;
  std::array<std::int64_t, 4> blocks;
  bool bottleneck;  // 1 x 1, 3 x 3, 1 x 1
  std::int64_t expansion() const { return bottleneck ? 4 : 1; }
  std::int64_t total() const { return blocks[0] + blocks[1] + blocks[2] + blocks[3]; }
};
constexpr Architecture architectures[] = {
    {18, {2, 2, 2, 2}, false}, {34, {3, 4, 6, 3}, false}, {50, {3, 4, 6, 3}, true}};

const Architecture& architecture_of(std::int64_t layers) {
  for (const Architecture& a : architectures)
    if (a.layers == layers) return a;
  RZ_FAIL(value, "preact_resnet: {} layers were asked for, but there are 18, 34 and 50", layers);
}

// Where a block stands, and its extents.
struct BlockShape {
  std::int64_t index = 0, stage = 0, in_stage = 0;
  std::int64_t inputs = 0, inner = 0, outputs = 0, stride = 1;
  bool bottleneck = false;
  bool changes() const { return stride != 1 || inputs != outputs; }
};

BlockShape block_shape(const Architecture& a, std::int64_t index) {
  BlockShape s{.index = index, .in_stage = index, .bottleneck = a.bottleneck};
  while (s.in_stage >= a.blocks[static_cast<std::size_t>(s.stage)])
    s.in_stage -= a.blocks[static_cast<std::size_t>(s.stage++)];
  s.inner = width_of_stem << s.stage;
  s.outputs = s.inner * a.expansion();
  s.inputs = index == 0 ? width_of_stem : s.in_stage > 0 ? s.outputs : s.outputs / 2;
  s.stride = s.stage > 0 && s.in_stage == 0 ? 2 : 1;
  return s;
}

void check_preact(const PreActResNetOptions& o) {
  for (const int side : {1, 2})
    RZ_CHECK(value, o.image.inputs[side] % 8 == 0,
             "preact_resnet: images {} have a side of {}, but the three strides of 2 need sides divisible by 8",
             o.image.inputs, o.image.inputs[side]);
  RZ_CHECK(value, !row(o.residual.form).scalar_biases,
           "preact_resnet: the form {} is one of blocks without norms (family resnet, norm none)",
           row(o.residual.form).name);
  RZ_CHECK(value, o.residual.form != Form::zero_gamma,
           "preact_resnet: the form {} starts the gain of a branch's last norm at 0, but a branch of this family ends "
           "with a convolution (zero_projection starts that at 0)",
           row(o.residual.form).name);
  check_block_form("preact_resnet", o.residual, o.batch_norm);
}

}  // namespace

class PreActResNet::Block {
 public:
  Block(ParameterStore& store, const PreActResNetOptions& o, const BlockShape& shape, std::int64_t blocks)
      : shape_(shape),
        prefix_(std::string(preact_stages[shape.stage]) + "." + std::to_string(shape.in_stage) + "."),
        group_(block_connection(prefix_, shape.outputs, shape.index, blocks, shape.bottleneck ? 3 : 2)),
        residual_(store, o.residual, group_) {
    if (shape.bottleneck) {
      add(store, o, shape.inputs, shape.inner, 1, 1);
      add(store, o, shape.inner, shape.inner, 3, shape.stride);
      add(store, o, shape.inner, shape.outputs, 1, 1);
    } else {
      add(store, o, shape.inputs, shape.outputs, 3, shape.stride);
      add(store, o, shape.outputs, shape.outputs, 3, 1);
    }
    if (!shape.changes()) return;
    shortcut_ = std::make_unique<Conv2d>(store, prefix_ + "shortcut.0",
                                         Conv2dOptions{.inputs = shape.inputs,
                                                       .outputs = shape.outputs,
                                                       .kernel = 1,
                                                       .stride = shape.stride,
                                                       .padding = 0,
                                                       .bias = !o.batch_norm});
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  Variable forward(const Variable& x, bool training) const {
    const Scope scope(preact_stages[shape_.stage], shape_.in_stage);
    return residual_.around(x, 0, [&](const Variable& z) {
      Variable h = normed(norms_[0].get(), z, training);
      const Variable skip = shortcut_ ? shortcut_->forward(h) : x;
      for (std::size_t k = 0; k < convolutions_.size(); ++k) {
        if (k > 0) h = normed(norms_[k].get(), h, training);
        h = convolutions_[k].forward(h);
      }
      return std::pair(skip, h);
    });
  }
  const Residual& residual() const { return residual_; }
  std::span<const std::unique_ptr<BatchNorm>> norms() const { return norms_; }

 private:
  // A norm and the convolution after it.
  void add(ParameterStore& store, const PreActResNetOptions& o, std::int64_t inputs, std::int64_t outputs,
           std::int64_t kernel, std::int64_t stride) {
    const std::size_t k = convolutions_.size() + 1;
    const bool last = k == (shape_.bottleneck ? 3 : 2);
    const std::string number = std::to_string(k);
    norms_.push_back(o.batch_norm ? block_norm(store, prefix_ + "bn" + number, inputs) : nullptr);
    convolutions_.emplace_back(store, prefix_ + "conv" + number,
                               Conv2dOptions{.inputs = inputs,
                                             .outputs = outputs,
                                             .kernel = kernel,
                                             .stride = stride,
                                             .padding = kernel / 2,
                                             .bias = !o.batch_norm,
                                             .weight_init = block_kernel_init({outputs, inputs, kernel, kernel},
                                                                              o.residual.form, group_.first, last)});
  }

  BlockShape shape_;
  std::string prefix_;
  ConnectionGroup group_;
  std::vector<std::unique_ptr<BatchNorm>> norms_;
  std::vector<Conv2d> convolutions_;
  std::unique_ptr<Conv2d> shortcut_;
  Residual residual_;
};

PreActResNet::PreActResNet(const PreActResNetOptions& options)
    : ImageModel("preact_resnet", options.image), options_(options) {
  const Architecture& architecture = architecture_of(options_.layers);
  check_preact(options_);
  ParameterStore& store = *store_;
  conv1_ = std::make_unique<Conv2d>(
      store, "conv1",
      Conv2dOptions{.inputs = options_.image.inputs[0], .outputs = width_of_stem, .bias = !options_.batch_norm});
  for (std::int64_t i = 0; i < architecture.total(); ++i) {
    blocks_.push_back(std::make_unique<Block>(store, options_, block_shape(architecture, i), architecture.total()));
    for (const auto& norm : blocks_.back()->norms())
      if (norm) keep(*norm);
  }
  const std::int64_t channels = block_shape(architecture, architecture.total() - 1).outputs;
  declare_linear(channels, init::named("kaiming_normal", {options_.image.outputs, channels}));
}

PreActResNet::~PreActResNet() = default;

Variable PreActResNet::stem(const Variable& images) const {
  const Scope scope("conv1");
  return conv1_->forward(images);
}

Variable PreActResNet::block(const Variable& x, std::int64_t i) const {
  return blocks_[static_cast<std::size_t>(i)]->forward(x, training());
}

std::string PreActResNet::formula() const { return formula_text(options_.residual); }

std::string PreActResNet::constants() const {
  const ResidualOptions& o = options_.residual;
  return constants_text(o.form, blocks_.front()->residual().position(0), o.skip, o.injection);
}

std::vector<Parameter> PreActResNet::residual_weights() const { return gates_of(blocks_); }

}  // namespace rz::nn
