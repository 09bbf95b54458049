// Inputs of Transformers from files: the main array alone (.npy), or arrays under PyTorch's argument names (.npz).
#pragma once

#include <string>
#include <string_view>

#include "nn/models/transformer.h"

namespace rz::tool {

struct TransformerArrays {
  Tensor main;          // [batch, tokens, d_model], or tokens i64 [batch, tokens]
  nn::HeldInputs held;  // masks in additive form
};

// encoder, char_transformer: src, src_mask, src_key_padding_mask; decoder: tgt, memory, tgt_mask, memory_mask,
// tgt_key_padding_mask, memory_key_padding_mask. Masks are boolean (true: not seen) or numbers that are added.
// Throws: file, naming the array (unknown, missing, of a wrong shape or type, a token outside of the vocabulary, a
// number that is not finite)
TransformerArrays read_transformer_arrays(std::string_view path, std::string_view family, const nn::Model& model,
                                          DType precision);

// What read_transformer_arrays found in `held` is given to the model, if it is one that takes it.
void hold(nn::Model& model, const nn::HeldInputs& held);

}  // namespace rz::tool
