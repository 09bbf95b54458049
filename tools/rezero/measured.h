// A measured spectrum with all that is said of it, and how it is written.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/named_tensor.h"
#include "tools/isometry/spectrum.h"
#include "tools/isometry/verdict.h"
#include "tools/report/chart.h"
#include "tools/rezero/spectrum_options.h"
#include "tools/rezero/theory_text.h"

namespace rz::tool {

// Ends of the support that theory gives the partial Jacobian up to a stage.
struct FanEdges {
  std::size_t layer;
  double s_min, s_max;
};

struct Measured {
  std::string name, weights, inputs;      // of the network, in words
  isometry::Part part;                    // its outline
  std::string method_reason;              // why this method where another would be better; "": there is no reason
  isometry::Result result;                // samples: seeds by inputs, input fastest
  std::vector<std::int64_t> seed, input;  // of each sample
  std::optional<isometry::Law> law;
  std::optional<isometry::TheorySpectrum> theory;
  Density density;
  std::string theory_reason;  // why there is none
  std::vector<isometry::Verdict> verdicts;
  std::vector<std::size_t> fan_layers;        // for the picture of a fan: stages, from 1
  std::vector<isometry::SampleSpectrum> fan;  // their partial Jacobians
  std::vector<FanEdges> fan_theory;           // of a few stages; empty: there is none
};

// No whole spectrum fits the budget, but lanczos does; the message says how much they take.
class OnlyEndsFit : public Error {
 public:
  using Error::Error;
};

// Called with the first draw of a variant and the inputs on its device, for what else is to be seen of it.
using Look = std::function<void(const Source&, const Tensor& inputs)>;
// A variant at all its seeds and inputs, with a progress bar.   Throws: file, UsageError, and what the measurement
// does; OnlyEndsFit (without a --method, and nothing was asked for that takes the whole spectrum).
Measured measure_spectrum(const SpectrumOptions& options, const Variant& variant, const Look& look = {});

// What a series is called: its network, or "3 recipes".
std::string series_name(const std::vector<Measured>& series, const std::vector<Variant>& variants);
// The part whose Jacobians these are: "stack".
std::string series_part(const std::vector<Measured>& series);
nlohmann::ordered_json measured_json(const Measured& m);
// {"schema", "series": [{"gate" or "depth" or "step", ...}]}, or the only one as it is.
nlohmann::ordered_json series_json(const std::vector<Measured>& series, const std::vector<Variant>& variants);
std::string measured_text(const Measured& m);

// A line per singular value, after the columns of `series` ("gate", "depth" or "step"; empty: none).
std::string measured_csv(const std::vector<Measured>& series, const std::vector<Variant>& variants);
std::vector<NamedTensor> measured_arrays(const std::vector<Measured>& series, const std::vector<Variant>& variants);
report::Histogram measured_histogram(const std::vector<Measured>& series, const std::vector<Variant>& variants);
// Largest and smallest value over the series, means over the samples, beside the theory's.
report::LineChart measured_edges(const std::vector<Measured>& series, const std::vector<Variant>& variants);
// Singular values of the partial Jacobians over depth, of the first sample.
report::LineChart measured_fan(const Measured& m);

}  // namespace rz::tool
