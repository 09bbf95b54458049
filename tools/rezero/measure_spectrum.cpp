// How `spectrum` and `watch` measure: draws of the weights by inputs, and the theory of the first.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tools/isometry/measure.h"
#include "tools/isometry/model_theory.h"
#include "tools/rezero/command.h"
#include "tools/rezero/estimates.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/measured.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/size.h"
#include "tools/rezero/spectrum_text.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

struct Method {
  std::string name, reason;  // reason: why not the one that would be better; "": there is none
};

// Files and series of whole spectra, and what is laid beside them.
bool takes_whole_spectra(const SpectrumOptions& o, const Variant& variant) {
  return !variant.key.empty() || !o.output.npz.empty() || !o.output.svg.empty() || !o.output.png.empty() ||
         o.theory == "on";
}

// Without --method the first that fits the budget: the product form where the model is layered, J and its SVD, and the
// ends of the spectrum without J. Where nothing fits, the exact form says what it lacks.
Method method_of(const SpectrumOptions& o, const Variant& variant, const nn::Model& model, const isometry::Part& part,
                 const Tensor& x, const isometry::Extents& extents) {
  if (o.method == "product")
    checked_usage("--method", [&] { isometry::require_chain(model, "there is no product of layers (exact)"); });
  if (!o.method.empty()) return {o.method, ""};
  const std::int64_t memory = parse_size(o.memory, "--memory");
  std::string reason;
  const bool layered = model.stages().chain && o.precision == "f64";
  if (layered) {
    const std::int64_t bytes = isometry::product_bytes(part, isometry::input_of(part, x));
    if (bytes <= memory) return {"product", ""};
    reason = fmt::format("exact, not layer by layer: the product's matrices would take {}, --memory is {}",
                         size_text(bytes, o.memory), o.memory);
  }
  const std::int64_t bytes = isometry::exact_bytes(extents, precision_named(o.precision));
  if (bytes <= memory) return {"exact", reason};
  if (takes_whole_spectra(o, variant))
    throw BudgetError(fmt::format("spectrum: pictures, files, series and theory take all values, and J and its SVD "
                                  "take {} bytes, the budget is {}",
                                  bytes, memory),
                      bytes);
  throw OnlyEndsFit(ErrorCode::memory, why_only_ends(extents, bytes, o.memory));
}

// Measured at all seeds and inputs.
class SpectrumMeasurement {
 public:
  SpectrumMeasurement(const SpectrumOptions& options, const Variant& variant, const Look& look)
      : options_(options), variant_(variant), look_(look) {}

  Measured run() {
    const std::int64_t seeds = options_.seeds.value_or(1);
    Progress progress("spectrum", 100 * seeds);
    for_each_draw(variant_.source, seeds, precision_named(options_.precision),
                  [&](std::int64_t k, const Source& source) { draw(k, source, progress); });
    progress.finish();
    finish();
    return std::move(measured_);
  }

 private:
  void draw(std::int64_t k, const Source& source, Progress& progress) {
    isometry::Part part = part_of(options_.part, source);
    if (k == 0) inputs_ = open_inputs(options_.inputs, source, precision_named(options_.precision));
    take_together(part, inputs_);
    if (k == 0) first(source, part);
    isometry::MeasureOptions how;
    std::vector<isometry::SampleSpectrum> spectra;
    const auto samples = static_cast<double>(inputs_.values.shape()[0]);
    for_each_held(*source.model, inputs_, [&](const Tensor& inputs, std::int64_t first_input) {
      how.progress = [&](double share) {
        const double done =
            (static_cast<double>(first_input) + share * static_cast<double>(inputs.shape()[0])) / samples;
        if (is_terminal(Stream::error)) progress.update(100 * k + static_cast<std::int64_t>(100 * done), "");
      };
      auto some = within_budget(options_.memory, "--memory", [&](std::int64_t memory) {
        how.memory = memory;
        return method_ == "product" ? isometry::product_spectra(part, inputs, how)
                                    : isometry::exact_spectra(part, inputs, how);
      });
      for (isometry::SampleSpectrum& spectrum : some) spectra.push_back(std::move(spectrum));
    });
    if (k == 0 && options_.picture == "fan") {
      measured_.fan_layers = evenly_spaced(part.stages.size(), 48);
      for (std::size_t& layer : measured_.fan_layers) ++layer;
      hold(*source.model, nn::examples(inputs_.held, 0, 1));
      const Tensor x = isometry::sample(part, inputs_.values, 0).to(source.model->parameters().device());
      measured_.fan = within_budget(options_.memory, "--memory", [&](std::int64_t memory) {
        return isometry::partial_spectra(part, x, measured_.fan_layers, {.memory = memory});
      });
    }
    for (std::size_t i = 0; i < spectra.size(); ++i) {
      samples_.push_back(std::move(spectra[i]));
      measured_.seed.push_back(source.recipe.train.seed);
      measured_.input.push_back(static_cast<std::int64_t>(i));
    }
  }

  // What all draws share.
  void first(const Source& source, const isometry::Part& part) {
    measured_.name = source.name;
    measured_.weights = weights_text(source, options_.seeds.value_or(1));
    measured_.inputs = inputs_.text;
    measured_.part = outline(part);
    hold(*source.model, nn::examples(inputs_.held, 0, 1));
    const Tensor x = inputs_.values.to(source.model->parameters().device());
    extents_ = isometry::extents(part, x);
    choose_method(*source.model, part, isometry::sample(part, x, 0));
    if (options_.theory == "none")
      measured_.theory_reason = "it was not asked for (--theory none)";
    else
      find_theory(*source.model, part, x);
    if (source.recipe.model.is_transformer())
      norm_text_ = norm_text(source.recipe.model, part.of, extents_.cols / source.recipe.model.d_model);
    if (look_) look_(source, x);
  }

  void choose_method(const nn::Model& model, const isometry::Part& part, const Tensor& x) {
    Method method = within_budget(options_.memory, "--memory", [&](std::int64_t) {
      return method_of(options_, variant_, model, part, x, extents_);
    });
    method_ = std::move(method.name);
    measured_.method_reason = std::move(method.reason);
  }

  void find_theory(const nn::Model& model, const isometry::Part& part, const Tensor& inputs) {
    isometry::ModelTheory theory = isometry::model_theory(model, part, inputs);
    if (theory.net && !initial_weights(variant_.source)) theory = {{}, trained_weights};
    if (theory.net) {
      try {
        const isometry::Law law = isometry::law_of(*theory.net);
        measured_.theory = law.summary();
        measured_.density = density_of(law);
        measured_.law = law;
        lengths_ = isometry::mean_field(*theory.net);
        net_ = theory.net;
        if (options_.picture == "fan") find_fan_theory(*theory.net);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::value) throw;
        theory.reason = error.message();
      }
    }
    measured_.theory_reason = theory.reason;
    if (options_.theory == "on" && !measured_.theory) throw UsageError("--theory: " + theory.reason);
  }

  // More of the first stages, where the edges bend.
  void find_fan_theory(isometry::RandomNet net) {
    constexpr std::size_t most = 12;
    const std::vector<double> gates = net.gates;
    const auto layers = static_cast<double>(net.depth);
    std::size_t last = 0;
    for (std::size_t k = 0; k < most; ++k) {
      const double share = static_cast<double>(k) / (most - 1);
      const auto layer = static_cast<std::size_t>(std::lround(1 + (layers - 1) * share * share));
      if (layer == last) continue;
      last = layer;
      net.depth = static_cast<std::int64_t>(layer);
      if (!gates.empty()) net.gates.assign(gates.begin(), gates.begin() + net.depth);
      const isometry::TheorySpectrum edges = isometry::law_of(net).summary();
      measured_.fan_theory.push_back({layer, edges.s_min, edges.s_max});
    }
  }

  void finish() {
    measured_.result =
        isometry::result_of(std::move(samples_), measured_.part, extents_, precision_named(options_.precision));
    measured_.result.method = method_;
    std::optional<isometry::VerdictContext> context;
    if (measured_.theory) context = verdict_context();
    measured_.verdicts = isometry::verdicts(measured_.result, context);
    if (!norm_text_.empty()) measured_.verdicts.push_back({"norm_directions", 0, 0, norm_text_});
  }

  isometry::VerdictContext verdict_context() const {
    const bool stationary = !net_->residual();
    return {.layers = measured_.part.to - measured_.part.from,
            .width = std::min(extents_.rows, extents_.cols),
            .xi_c = stationary ? lengths_.xi_c : nan,
            .q_0 = net_->q_0,
            .q_star = stationary && !isometry::is_homogeneous(net_->activation) ? lengths_.q_star : nan,
            .mean = measured_.theory->mean,
            .variance_over_mean2 = measured_.theory->variance_over_mean2,
            .s_max = measured_.theory->s_max,
            .outliers = measured_.theory->outliers};
  }

  const SpectrumOptions& options_;
  const Variant& variant_;
  const Look& look_;
  Measured measured_;
  std::vector<isometry::SampleSpectrum> samples_;
  Inputs inputs_;
  std::string method_, norm_text_;
  isometry::Extents extents_;
  std::optional<isometry::RandomNet> net_;  // with a theory
  isometry::MeanField lengths_;
};

}  // namespace

Measured measure_spectrum(const SpectrumOptions& options, const Variant& variant, const Look& look) {
  return SpectrumMeasurement(options, variant, look).run();
}

}  // namespace rz::tool
