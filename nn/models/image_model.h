// ImageModel: networks of images, channels last inside: a stem, blocks, the average over all pixels, and a linear layer
// `linear.{weight,bias}`. Hidden states are [n, height, width, channels].
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/batch_norm.h"
#include "nn/convolution.h"
#include "nn/linear.h"
#include "nn/residual.h"

namespace rz::nn {

struct ImageOptions {
  Shape inputs{3, 32, 32};  // channels, height, width
  std::int64_t outputs = 10;
};

class ImageModel : public Model {
 public:
  Variable forward(const Variable& x) const override;  // [n, ...inputs] or [n, features] -> [n, outputs]
  Stages stages() const override;                      // a stage per block, one for all where they are no chain
  void update_statistics(const StepState& state) const override;
  // Chooses which blocks training runs again in the backward pass instead of keeping what they computed: the fewest,
  // so that a step of `batch` images takes at most `bytes`, parameters with gradients and one slot of an optimiser
  // included. Their number.   Throws: BudgetError (not even all), value (a stack that is no chain)
  std::int64_t fit_memory(std::int64_t bytes, std::int64_t batch) override;
  bool has_batch_norm() const override { return !norms_.empty(); }
  Shape input_shape() const override { return image_.inputs; }
  std::int64_t outputs() const override { return image_.outputs; }

 protected:
  // Throws: value (inputs that are not three extents of at least 1, fewer than 1 output)
  ImageModel(const char* name, const ImageOptions& options);
  virtual Variable stem(const Variable& images) const = 0;
  virtual Variable block(const Variable& x, std::int64_t i) const = 0;
  virtual std::int64_t blocks() const = 0;
  virtual bool is_chain() const { return true; }       // block(x, i) needs nothing but x
  virtual Variable hidden(const Variable& x_0) const;  // all blocks
  virtual Variable before_linear(const Variable& x) const { return x; }
  void declare_linear(std::int64_t channels, const Initializer& weight_init, const Initializer& bias_init = {});
  // Whose running statistics update_statistics brings up to date. It must stay where it is.
  void keep(const BatchNorm& norm) { norms_.push_back(&norm); }
  const ImageOptions& image() const { return image_; }

 private:
  struct Segments {  // blocks [0, end) run again, `length` at a time
    std::int64_t end = 0, length = 1;
  };
  struct BlockBytes {  // of one image
    std::vector<std::int64_t> inputs;
    std::map<std::int64_t, std::vector<std::int64_t>> kept;  // by the size of its output: by the blocks before the i-th
    std::int64_t moment = 0;                                 // what a block's backward pass holds beside it
    std::int64_t in_step(Segments again) const;              // the most at a time
  };
  BlockBytes measure_blocks() const;
  Variable images_of(const Variable& x) const;
  Variable run(const Variable& x, std::int64_t first, std::int64_t last) const;  // blocks [first, last)
  Variable head(const Variable& x) const;
  const char* name_;
  ImageOptions image_;
  std::unique_ptr<Linear> linear_;
  Segments recomputed_;
  std::vector<const BatchNorm*> norms_;
};

}  // namespace rz::nn
