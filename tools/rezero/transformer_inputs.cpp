#include "tools/rezero/transformer_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/nearest.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "nn/models/seq2seq.h"

namespace rz::tool {
namespace {

// The names of a family's arrays: the main input, and where the others go.
struct ArrayName {
  std::string_view name;
  Tensor nn::HeldInputs::* place;  // null: the main input
};
using Held = nn::HeldInputs;
const std::vector<ArrayName> encoder_names{
    {"src", nullptr}, {"src_mask", &Held::mask}, {"src_key_padding_mask", &Held::key_mask}};
const std::vector<ArrayName> decoder_names{{"tgt", nullptr},
                                           {"memory", &Held::memory},
                                           {"tgt_mask", &Held::mask},
                                           {"memory_mask", &Held::memory_mask},
                                           {"tgt_key_padding_mask", &Held::key_mask},
                                           {"memory_key_padding_mask", &Held::memory_key_mask}};

const std::vector<ArrayName>& names_of(std::string_view family) {
  return family == "decoder" ? decoder_names : encoder_names;
}

class ArrayReader {
 public:
  ArrayReader(std::string_view path, std::string_view family, const nn::Model& model, DType precision)
      : path_(absolute(path)), names_(names_of(family)), model_(model), precision_(precision) {}

  TransformerArrays read() {
    if (path_.ends_with(".npz")) {
      for (const NamedTensor& array : load_npz(path_)) take(array);
    } else {
      main_ = load_npy(path_);
    }
    RZ_CHECK(file, main_.defined(), "{}: the array {} is missing", path_, names_.front().name);
    take_main();
    const Shape& x = arrays_.main.shape();
    const std::int64_t batch = x[0], tokens = x[1];
    Held& held = arrays_.held;
    const std::int64_t keys = held.memory.defined() && held.memory.shape().rank() == 3 ? held.memory.shape()[1] : 0;
    const bool decodes = names_.size() == decoder_names.size();
    RZ_CHECK(file, !decodes || held.memory.defined(), "{}: the array memory is missing", path_);
    RZ_CHECK(file, !decodes || keys > 0,
             "{}: memory has the shape {}, but must be [{}, tokens, {}], at least one token", path_,
             held.memory.shape(), batch, model_.state_shape()[1]);
    check(&Held::memory, {batch, keys, model_.state_shape()[1]});
    check(&Held::mask, {tokens, tokens});
    check(&Held::key_mask, {batch, tokens});
    check(&Held::memory_mask, {tokens, keys});
    check(&Held::memory_key_mask, {batch, keys});
    return std::move(arrays_);
  }

 private:
  void take(const NamedTensor& array) {
    const auto found = std::ranges::find(names_, array.name, &ArrayName::name);
    if (found == names_.end()) {
      std::vector<std::string_view> all;
      for (const ArrayName& name : names_) all.push_back(name.name);
      RZ_FAIL(file, "{}: {}", path_, unknown_name(printable(array.name), all));
    }
    if (!found->place) {
      main_ = array.tensor;
    } else if (found->place == &Held::memory) {
      arrays_.held.memory = finite(array.tensor, array.name);
    } else {
      arrays_.held.*found->place = additive(array.tensor, array.name);
    }
  }

  // Numbers, or of a model of tokens integers in its vocabulary; one example may lack the first axis.
  void take_main() {
    const std::string_view name = names_.front().name;
    const bool tokens = model_.input_type() == DType::i64;
    const int rank = tokens ? 2 : 3;
    Tensor x = main_;
    if (x.shape().rank() == rank - 1) x = x.reshape(x.shape().prepended(1));
    const std::int64_t width = tokens ? 0 : model_.state_shape()[1];
    RZ_CHECK(file, x.shape().rank() == rank && x.elements() > 0 && (tokens || x.shape()[2] == width),
             "{}: {} has the shape {}, but must be {}", path_, name, main_.shape(),
             tokens ? std::string("[batch, tokens]") : fmt::format("[batch, tokens, {}]", width));
    if (!tokens) {
      arrays_.main = finite(x, name);
      return;
    }
    RZ_CHECK(file, x.dtype() == DType::i64 || x.dtype() == DType::i32 || x.dtype() == DType::u8,
             "{}: {} holds {}, but tokens are integers", path_, name, rz::name(x.dtype()));
    for (const std::int64_t token : x.to(DType::i64).to_integers())
      RZ_CHECK(file, token >= 0 && token < model_.outputs(), "{}: {} has the token {}, but the vocabulary has {}",
               path_, name, token, model_.outputs());
    check_length(x.shape()[1], name);
    arrays_.main = x.to(DType::i64);
  }

  // An encoder-decoder reads source and target side by side, a language model as many tokens as it has positions.
  void check_length(std::int64_t tokens, std::string_view name) const {
    const std::int64_t most = model_.input_shape()[0];
    const bool whole = dynamic_cast<const nn::Seq2Seq*>(&model_) != nullptr;
    RZ_CHECK(file, whole ? tokens == most : tokens <= most, "{}: {} has {} tokens, but the model {} {}", path_, name,
             tokens, whole ? "takes" : "has positions for", most);
  }

  Tensor finite(const Tensor& x, std::string_view name) const {
    RZ_CHECK(file, std::ranges::all_of(x.to_vector(), [](double v) { return std::isfinite(v); }),
             "{}: {} has an entry that is not finite", path_, name);
    return x.to(precision_);
  }

  Tensor additive(const Tensor& mask, std::string_view name) const {
    std::vector<double> values = mask.to_vector();
    for (double& v : values) {
      if (mask.dtype() == DType::u8) v = v != 0 ? -std::numeric_limits<double>::infinity() : 0;
      RZ_CHECK(file, v < std::numeric_limits<double>::infinity(), "{}: {} has an entry that is NaN or inf", path_,
               name);
    }
    RZ_CHECK(file, mask.dtype() == DType::u8 || is_real(mask.dtype()),
             "{}: {} holds {}, but a mask is boolean or has numbers that are added", path_, name,
             rz::name(mask.dtype()));
    return Tensor::of(mask.shape(), values, precision_);
  }

  void check(Tensor Held::* place, const Shape& wanted) const {
    const Tensor& tensor = arrays_.held.*place;
    if (!tensor.defined()) return;
    const std::string_view name = std::ranges::find(names_, place, &ArrayName::place)->name;
    RZ_CHECK(file, tensor.shape() == wanted && tensor.elements() > 0, "{}: {} has the shape {}, but must be {}", path_,
             name, tensor.shape(), wanted);
  }

  std::string path_;
  const std::vector<ArrayName>& names_;
  const nn::Model& model_;
  DType precision_;
  Tensor main_;
  TransformerArrays arrays_;
};

}  // namespace

TransformerArrays read_transformer_arrays(std::string_view path, std::string_view family, const nn::Model& model,
                                          DType precision) {
  return ArrayReader(path, family, model, precision).read();
}

void hold(nn::Model& model, const nn::HeldInputs& held) {
  if (auto* const transformer = dynamic_cast<nn::TransformerModel*>(&model)) transformer->hold(held);
}

}  // namespace rz::tool
