// Residual connections x' = N_post( s x + g N_out( F( c N_in(x) ) ) + e x_0 ), by a row of nn/forms.h: those of a
// stack, or the sub-layers of one layer. Parameters, declared by name in the model's store (R rows: one per connection,
// or one for all):
//   resweight [R] or [R, width]   gates                       ln.*      the form's norm, one for all layers of a stack
//   skipweight, inputweight [R]   learned s and e             ln_out.*  the second, of forms with two
//   bias_in, bias_out [R]         fixup's                     norm{k}.*, norm{k}_out.*   those of sub-layer k, from 1
//   transform_layers.{k}.*        highway's W_T, b_T, k from 0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/forms.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace rz::nn {

struct ResidualOptions {
  Form form = Form::rezero;
  std::vector<double> gate{};               // start of the gates: none (the form's), one for all, or one per layer
  std::optional<GateShape> gate_shape{};    // default: the form's
  bool train_gates = true;                  // false: they stay at their start
  NormKind norm = NormKind::layer_norm;     // of forms with a norm; eps 1e-5
  std::optional<double> norm_gain{};        // start of the gain of N_out or N_post; default: the form's
  double branch_k = 1, branch_p = 0.5;      // branch_scale: k L^-p
  std::vector<double> skip{}, injection{};  // residual_scalars: start of s and e; none, one for all, or one per layer
};

// "x + a F(x), a = 0": the form's, with the start of the gates and of the norm's gain put in where they were given.
std::string formula_text(const ResidualOptions& options);

// Connections that are declared together.
struct ConnectionGroup {
  std::int64_t connections = 1;
  std::int64_t width = 1;
  Position first{};        // of the first one
  bool one_layer = false;  // sub-layers of one layer, each with norms of its own; else a layer each, with one norm
  bool one_gate = false;   // they share one row of gates and of other scalars
  std::string prefix{};    // of all names: "layers.3."
  bool own_norms = false;  // the branch has norms, and the form's are among them: none are declared
};

class Residual {
 public:
  // Throws: value (an option that the form has no use for, as many gates as neither 1 nor layers).
  Residual(ParameterStore& store, const ResidualOptions& options, const ConnectionGroup& group);

  // x' of connection l of the group, from 0, for branch(z) = F(z). x_0 is the input of the stack.
  template <class Branch>
  Variable operator()(const Variable& x, const Variable& x_0, std::int64_t l, Branch&& branch) const {
    const Variable z = before(x, l);
    return join(x, x_0, z, branch(z), l);
  }
  // The same where the skip is not x itself, but a shortcut between widths: block(z) = {skip, F(z)}.
  template <class Block>
  Variable around(const Variable& x, std::int64_t l, Block&& block) const {
    const Variable z = before(x, l);
    const std::pair<Variable, Variable> parts = block(z);
    return join(parts.first, {}, z, parts.second, l);
  }
  // x' = x + g F(x) with a number g as gate and no more, for every connection; and nobody watches single ones.
  bool is_gated_sum() const;
  Variable gates_variable() const;                    // as operations take them: a constant when they are not trained
  bool injects() const { return inputs_.defined(); }  // x' depends on x_0: the stack is no chain of functions of x
  const Parameter& gates() const { return gates_; }
  Position position(std::int64_t l) const;

 private:
  Variable before(const Variable& x, std::int64_t l) const;  // c N_in(x) + b_in
  Variable join(const Variable& x, const Variable& x_0, const Variable& z, const Variable& f, std::int64_t l) const;
  Variable skipped(const Variable& x, const Variable& x_0, std::int64_t l) const;  // s x + e x_0; may be undefined
  Variable joined(const Variable& x, const Variable& x_0, const Variable& f, std::int64_t l) const;
  Variable gate(std::int64_t l) const;  // g without its constant
  std::int64_t rows() const { return group_.one_gate ? 1 : group_.connections; }
  std::int64_t row_of(std::int64_t l) const { return group_.one_gate ? 0 : l; }
  Variable row_at(const Variable& values, std::int64_t l) const;
  const Norm& norm_at(const std::vector<Norm>& norms, std::int64_t l) const;
  std::vector<Position> row_positions() const;
  void declare_norms(ParameterStore& store, const ResidualOptions& options);
  void declare_scalars(ParameterStore& store, const ResidualOptions& options);

  const FormRow& form_;
  ConnectionGroup group_;
  GateShape gate_shape_;
  bool train_gates_;
  Parameter gates_, skips_, inputs_, biases_in_, biases_out_;
  std::vector<Norm> norms_in_, norms_out_, norms_post_;  // none, one for all, or one per connection
  std::vector<Linear> transforms_;
};

// What a connection did: its number in the model from 0, its input x, the branch's input z = c N_in(x) + b_in, F(z),
// N_out(F(z)), x'.
struct ConnectionValues {
  std::int64_t connection;
  const Tensor &x, &z, &f, &branch, &y;
};

// While it lives on this thread, every connection reports.
class ResidualProbe {
 public:
  using Report = std::function<void(const ConnectionValues&)>;
  explicit ResidualProbe(Report report);
  ~ResidualProbe();
  ResidualProbe(const ResidualProbe&) = delete;
  ResidualProbe& operator=(const ResidualProbe&) = delete;

 private:
  friend class Residual;
  Report report_;
  ResidualProbe* outer_;
};

}  // namespace rz::nn
