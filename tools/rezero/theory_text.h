// The theory of a random network as JSON and as text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "data/named_tensor.h"
#include "tools/isometry/theory/random_net.h"
#include "tools/report/chart.h"
#include "tools/rezero/outputs.h"

namespace rz::tool {

struct Density {
  std::vector<double> lambda, rho;
};

constexpr std::int64_t density_points = 400;
// At the given lambda, or at `points` of the law's own grid. Nothing where a law is too narrow or too wide for doubles.
Density density_of(const isometry::Law& law, std::int64_t points = density_points,
                   const std::vector<double>& lambda = {});

// Throws: UsageError (there is none, but files or pictures of it were asked for)
void check_density(const Density& density, const OutputOptions& output);

// {"mean", "variance_over_mean2", ..., "density"}: what is infinite or undefined is null.
nlohmann::ordered_json spectrum_json(const isometry::TheorySpectrum& spectrum, const Density& density);
nlohmann::ordered_json mean_field_json(const isometry::MeanField& field);

nlohmann::ordered_json finite_width_json(const isometry::FiniteWidth& f, Scalar activation);

// The density of log10 sigma, for pictures: 2 ln 10 lambda rho(lambda).
report::Series density_series(const Density& density);
// Atoms are stems: their height has no meaning. With dots at the values that were `asked` for.
report::LineChart density_chart(const std::string& title, const isometry::TheorySpectrum& s, const Density& density,
                                const Density& asked = {});
std::string density_csv(const Density& density);                  // lambda, rho
std::vector<NamedTensor> density_arrays(const Density& density);  // theory_lambda, theory_rho

// "x + a f(W x + b)" or "x + a (W f(x) + b)"
const char* residual_layer(const isometry::RandomNet& net);
// Of a residual network it is that of its branches alone.
std::string mean_field_text(const isometry::MeanField& field, const isometry::RandomNet& net);
std::string spectrum_text(const isometry::TheorySpectrum& spectrum);
std::string finite_width_text(const isometry::FiniteWidth& f, const isometry::RandomNet& net);

}  // namespace rz::tool
