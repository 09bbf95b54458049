// Norms of rows.
#include "core/error.h"
#include "core/ops.h"
#include "core/ops_call.h"

namespace rz::ops {

namespace {

void check_norm(const char* name, const Tensor& x, const Tensor& gain) {
  check_real(name, x);
  RZ_CHECK(shape, x.shape().rank() >= 1, "{}: x {} needs an axis", name, x.shape());
  check_dtype(name, x, gain);
  check_shape(name, "gain", gain, {x.shape().columns()});
}
void check_kept(const char* name, const Tensor& x, const Tensor& kept) {
  check_shape(name, "what the forward pass kept", kept, {x.shape().rows()});
  check_dtype(name, x, kept);
}
void check_d_y(const char* name, const Tensor& x, const Tensor& d_y) {
  check_shape(name, "d_y", d_y, x.shape());
  check_dtype(name, x, d_y);
}
Tensor number_per_row(const Tensor& x) { return Tensor({x.shape().rows()}, x.dtype(), x.device()); }

}  // namespace

LayerNorm layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, double eps) {
  check_norm("layer_norm", x, gain);
  check_dtype("layer_norm", x, bias);
  check_shape("layer_norm", "bias", bias, gain.shape());
  const LayerNorm result{like(x), number_per_row(x), number_per_row(x)};
  begin("layer_norm", {&x, &gain, &bias}, result.y, 8 * x.elements())
      .layer_norm(x.operand(), gain.operand(), bias.operand(), eps, Destination{result.y}.target(),
                  Destination{result.mean}.target(), Destination{result.inverse_deviation}.target());
  return result;
}

void layer_norm_vjp(const Tensor& x, const Tensor& gain, const LayerNorm& forward, const Tensor& d_y,
                    const Destination& d_x, const Destination& d_gain, const Destination& d_bias) {
  const char* const name = "layer_norm_vjp";
  check_norm(name, x, gain);
  check_d_y(name, x, d_y);
  for (const Tensor* kept : {&forward.mean, &forward.inverse_deviation}) check_kept(name, x, *kept);
  check_output(name, "d_x", d_x, x.shape(), x);
  check_output(name, "d_gain", d_gain, gain.shape(), x);
  check_output(name, "d_bias", d_bias, gain.shape(), x);
  Workspace w(pool(x.device()));
  const Tensor& result = d_x.tensor.defined() ? d_x.tensor : d_y;
  begin(name, {&x, &gain, &d_y, if_defined(d_gain.tensor), if_defined(d_bias.tensor)}, result, 12 * x.elements())
      .layer_norm_vjp(x.operand(), gain.operand(), forward.mean.operand(), forward.inverse_deviation.operand(),
                      d_y.operand(), target_or_none(d_x, x.dtype()), target_or_none(d_gain, x.dtype()),
                      target_or_none(d_bias, x.dtype()), w);
}

RmsNorm rms_norm(const Tensor& x, const Tensor& gain, double eps) {
  check_norm("rms_norm", x, gain);
  const RmsNorm result{like(x), number_per_row(x)};
  begin("rms_norm", {&x, &gain}, result.y, 4 * x.elements())
      .rms_norm(x.operand(), gain.operand(), eps, Destination{result.y}.target(),
                Destination{result.inverse_rms}.target());
  return result;
}

void rms_norm_vjp(const Tensor& x, const Tensor& gain, const Tensor& inverse_rms, const Tensor& d_y,
                  const Destination& d_x, const Destination& d_gain) {
  const char* const name = "rms_norm_vjp";
  check_norm(name, x, gain);
  check_d_y(name, x, d_y);
  check_kept(name, x, inverse_rms);
  check_output(name, "d_x", d_x, x.shape(), x);
  check_output(name, "d_gain", d_gain, gain.shape(), x);
  Workspace w(pool(x.device()));
  const Tensor& result = d_x.tensor.defined() ? d_x.tensor : d_y;
  begin(name, {&x, &gain, &d_y, if_defined(d_gain.tensor)}, result, 8 * x.elements())
      .rms_norm_vjp(x.operand(), gain.operand(), inverse_rms.operand(), d_y.operand(), target_or_none(d_x, x.dtype()),
                    target_or_none(d_gain, x.dtype()), w);
}

}  // namespace rz::ops
