// Conv2d: cross-correlation of images x [n, height, width, in] -> [n, places, places, out], as PyTorch's but channels
// last.   Parameters NAME.weight [out, in, kernel, kernel] as in PyTorch's files, NAME.bias [out].
#pragma once

#include "core/window.h"
#include "nn/module.h"

namespace rz::nn {

struct Conv2dOptions {
  std::int64_t inputs = 0;  // channels
  std::int64_t outputs = 0;
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 1;  // of zeros, on each side
  bool bias = false;
  Initializer weight_init{};  // default: Kaiming normal (nn/init.h)
  Initializer bias_init{};    // default: 0
};

class Conv2d : public Module {
 public:
  Conv2d(ParameterStore& store, const std::string& name, const Conv2dOptions& options);
  Variable forward(const Variable& x) const override;
  const Parameter& weight() const { return weight_; }

 private:
  Window window_;
  Parameter weight_, bias_;
};

}  // namespace rz::nn
