// What the blocks of convolutional networks have in common: which forms they take, and how their kernels start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/batch_norm.h"
#include "nn/convolution.h"
#include "nn/residual.h"

namespace rz::nn {

// Forms without norms, and zero_gamma, whose norm is the branch's last.   Throws: value
void check_block_form(const char* model, const ResidualOptions& residual, bool has_norms);

// A block's connection: one layer with one gate.
ConnectionGroup block_connection(const std::string& prefix, std::int64_t channels, std::int64_t block,
                                 std::int64_t blocks, std::int64_t matrices);

// Kaiming normal times the form's factor beta; 0 for the last one of a form that starts so.
Initializer block_kernel_init(const Shape& shape, Form form, const Position& position, bool last);

// The start of the gain of a branch's last norm.
double last_gain(const ResidualOptions& residual);

std::unique_ptr<BatchNorm> block_norm(ParameterStore& store, const std::string& name, std::int64_t channels,
                                      double gain = 1);
// relu(BN(x)), or relu(x) without a norm.
Variable normed(const BatchNorm* norm, const Variable& x, bool training);

// Of blocks that have some, in their order.
template <class Blocks>
std::vector<Parameter> gates_of(const Blocks& blocks) {
  std::vector<Parameter> gates;
  for (const auto& block : blocks)
    if (block->residual().gates().defined()) gates.push_back(block->residual().gates());
  return gates;
}

}  // namespace rz::nn
