// The part of a model whose Jacobian is analysed. Hidden states are counted from 0, the input layer's output, to the
// number of layers: x_l is what layer l makes of x_(l-1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.h"

namespace rz::isometry {

struct Part {
  std::string of{};                // "stack" or "network"
  std::int64_t from = 0, to = 0;   // hidden states of a stack: d x_to / d x_from
  std::int64_t layers = 0;         // of the whole stack
  std::string statistics{};        // of batch norms: "frozen" or "batch"; "": there are none
  std::int64_t batch = 0;          // inputs whose statistics they are: one Jacobian takes all; 0: one input
  Function embed{};                // from tokens to what the model's first layer reads; undefined: it reads numbers
  std::vector<Function> before{};  // from there to the part's input
  std::vector<Function> stages{};  // the part: the product of their Jacobians is its own
  Function whole{};                // all stages at once; undefined: one after the other
};

// By default from the first hidden state to the last. The model must outlive the part.
// Throws: value (a state beyond the last; to not above from; a part of a stack that is no chain)
Part stack_part(const nn::Model& model, std::optional<std::int64_t> from = {}, std::optional<std::int64_t> to = {});
// What it is called: "network", "stack", or of a section "stack from hidden state 2 to 5".
std::string name_of(const Part& part);
Part outline(const Part& part);  // without functions
// Throws: value "every layer of FORMULA looks back at the first hidden state, so WHY" (a stack that is no chain)
void require_chain(const nn::Model& model, std::string_view why);
// d outputs / d inputs; of a model of tokens, d outputs / d embedded inputs.
Part network_part(const nn::Model& model);

// At the model's input x [batch, ...input_shape], or, of a model of tokens, at hidden states [batch, ...state_shape].
Tensor input_of(const Part& part, const Tensor& x);
Variable apply(const Part& part, const Variable& x);  // x: the part's input
// What Jacobian i of the inputs is taken at, [inputs of one, ...], and how many they have.
Tensor sample(const Part& part, const Tensor& inputs, std::int64_t i);
std::int64_t samples(const Part& part, const Tensor& inputs);
// Rows and columns of its Jacobian at one sample.
struct Extents {
  std::int64_t rows = 0, cols = 0;
};
Extents extents(const Part& part, const Tensor& x);
// J [m, n] of f, a stage of the part or all of it, at what it reads.
Tensor jacobian_of(const Part& part, const Function& f, const Tensor& h, JacobianOptions options);
// J [m, n] at one sample x [inputs of one, ...input_shape] of the model.
Tensor jacobian(const Part& part, const Tensor& x, const JacobianOptions& options = {});

}  // namespace rz::isometry
