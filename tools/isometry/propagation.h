// Forward and backward signal of a stack by depth, measured: what mean field predicts (Poole et al. 2016, Schoenholz et
// al. 2017), with APJN, the averaged partial Jacobian norm of Doshi, He, Gromov (2111.12143).
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "nn/module.h"
#include "tools/isometry/estimate.h"

namespace rz::isometry {

// Of hidden state x_l [units], l = 0 ... L, at one input.
struct LayerSignal {
  double q = 0;              // |x_l|^2 / units
  double c = 0;              // cosine of x_l with that at the other inputs, their mean; NaN for a single input
  double gradient_norm = 0;  // |dC / dx_l| for C = u x_L, u a random direction of length 1; averaged as mean square
  double apjn = 0;           // ||d x_l / d x_0||_F^2 / units of x_0
  // Of Transformers, else NaN. Mean cosine of two tokens of the input: 1 where the rank has collapsed (Dong et al.,
  // 2103.03404); mean over heads and queries of the entropy of the weights of the layer's self-attention, in nats (NaN
  // for l = 0).
  double token_cosine = 0, attention_entropy = 0;
  double branch_ratio = 0;  // |F(x_(l-1))| / |x_(l-1)| over all inputs; NaN for l = 0 and where there is no branch
};

void check_signal(const nn::Model& model);  // Throws: value (the stack is no chain)
// [L + 1][inputs] at inputs [inputs, ...input_shape]. `probes` directions estimate APJN: without bias, and exactly for
// multiples of isometries. Throws: value (the stack is no chain; a value that is not finite, with its layer)
std::vector<std::vector<LayerSignal>> measure_signal(const nn::Model& model, const Tensor& inputs, Random& random,
                                                     std::int64_t probes = 16);

struct LayerStatistics {
  Estimate q, c, gradient_norm, apjn, token_cosine, attention_entropy, branch_ratio;
};
// Over draws of weights and inputs, signals [draws][L + 1][inputs]: the mean of all; standard errors over the draws'
// means, or for a single draw over its inputs (they then say nothing of other weights).
std::vector<LayerStatistics> signal_statistics(const std::vector<std::vector<std::vector<LayerSignal>>>& signals);

}  // namespace rz::isometry
