#include "nn/residual.h"

#include <string>
#include <vector>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/nearest.h"

namespace rz::nn {

namespace {

// ReZero (2003.04887), Table 1; rezero_one is its ablation with gates that start at 1.
constexpr FormRow table[] = {
    //  form                   name               formula                 skip  gated  start  norm
    {Form::deep, "deep", "F(x)", 0, false, 1, NormPlace::none},
    {Form::residual, "residual", "x + F(x)", 1, false, 1, NormPlace::none},
    {Form::deep_layer_norm, "deep_layer_norm", "norm(F(x))", 0, false, 1, NormPlace::output},
    {Form::pre_norm, "pre_norm", "x + F(norm(x))", 1, false, 1, NormPlace::input},
    {Form::post_norm, "post_norm", "norm(x + F(x))", 1, false, 1, NormPlace::output},
    {Form::rezero, "rezero", "x + a F(x), a = 0", 1, true, 0, NormPlace::none},
    {Form::rezero_one, "rezero_one", "x + a F(x), a = 1", 1, true, 1, NormPlace::none},
};

}  // namespace

std::span<const FormRow> forms() { return table; }
const FormRow& row(Form form) { return table[static_cast<std::size_t>(form)]; }

Form form_named(std::string_view name) {
  std::vector<std::string_view> names;
  std::string list;
  for (const FormRow& row : table) {
    if (row.name == name) return row.form;
    names.push_back(row.name);
    list += (list.empty() ? "" : ", ") + std::string(row.name);
  }
  const std::string near = nearest(name, names);
  RZ_FAIL(value, "form: {} is not a residual form ({}forms: {})", name,
          near.empty() ? "" : "did you mean " + near + "? ", list);
}

Residual::Residual(Form form, Parameter gates, const LayerNorm* norm) : row_(row(form)), gates_(gates), norm_(norm) {
  RZ_ASSERT(row_.gated == gates_.defined());
  RZ_ASSERT((row_.norm != NormPlace::none) == (norm_ != nullptr));
}

Variable Residual::before(const Variable& x) const { return row_.norm == NormPlace::input ? norm_->forward(x) : x; }

Variable Residual::join(const Variable& x, const Variable& f, std::int64_t layer) const {
  const auto joined = [&] {
    if (row_.gated) return residual_add(row_.skip == 1 ? x : scale(row_.skip, x), f, gates_, layer);
    if (row_.skip == 0) return f;
    return add(row_.skip == 1 ? x : scale(row_.skip, x), f);
  };
  return row_.norm == NormPlace::output ? norm_->forward(joined()) : joined();
}

}  // namespace rz::nn
