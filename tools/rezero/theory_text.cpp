#include "tools/rezero/theory_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "core/error.h"
#include "data/csv.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;  // writes null for what is not finite

std::string number_or_word(double value) {
  if (std::isnan(value)) return "-";
  return std::isinf(value) ? (value > 0 ? "infinite" : "-infinite") : fmt::format("{:.8g}", value);
}

std::string line(std::string_view name, const std::string& value, std::string_view meaning) {
  if (meaning.empty()) return fmt::format("  {:<22}{}\n", name, value);
  return fmt::format("  {:<22}{:<17} {}\n", name, value, meaning);
}

// At lambda = 0, too: 0 outside of the support, infinite at its end.
std::vector<double> density_at(const isometry::Law& law, const std::vector<double>& lambda) {
  std::vector<double> positive;
  for (const double x : lambda)
    if (x > 0) positive.push_back(x);
  const std::vector<double> found = law.density(positive);
  const double at_zero = law.summary().s_min > 0 ? 0 : std::numeric_limits<double>::infinity();
  std::vector<double> rho;
  std::size_t next = 0;
  for (const double x : lambda) rho.push_back(x > 0 ? found[next++] : at_zero);
  return rho;
}

}  // namespace

Density density_of(const isometry::Law& law, std::int64_t points, const std::vector<double>& lambda) {
  try {
    Density density{lambda.empty() ? law.grid(points) : lambda, {}};
    density.rho = density_at(law, density.lambda);
    return density;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::value) throw;
    return {};
  }
}

void check_density(const Density& density, const OutputOptions& output) {
  const std::string* const files[] = {&output.csv, &output.npz, &output.svg, &output.png};
  const char* const flags[] = {"--csv", "--npz", "--svg", "--png"};
  for (std::size_t i = 0; i < std::size(files); ++i)
    refuse(density.lambda.empty() && !files[i]->empty(), flags[i],
           "the spectrum is too narrow or too wide for a density in double precision (its ends are in --json)");
}

Json spectrum_json(const isometry::TheorySpectrum& s, const Density& density) {
  Json atoms = Json::array();
  for (const isometry::Atom& atom : s.atoms) atoms.push_back({{"lambda", atom.lambda}, {"mass", atom.mass}});
  return {{"mean", s.mean},
          {"variance_over_mean2", s.variance_over_mean2},
          {"mean_log_sigma", s.mean_log_sigma},
          {"moments", s.moments},
          {"s_min", s.s_min},
          {"s_max", s.s_max},
          {"atoms", std::move(atoms)},
          {"outliers", s.outliers},
          {"density", density.lambda.empty() ? Json() : Json{{"lambda", density.lambda}, {"rho", density.rho}}}};
}

Json mean_field_json(const isometry::MeanField& f) {
  return {{"q_star", f.q_star},
          {"chi_1", f.chi_1},
          {"v_prime", f.v_prime},
          {"xi_q", f.xi_q},
          {"c_star", f.c_star},
          {"xi_c", f.xi_c},
          {"phase", isometry::name(f.phase)},
          {"mu_1", f.mu_1},
          {"mu_2", f.mu_2}};
}

namespace {

// Of an atom's stem: up to the peak of the density, but not where that is so narrow that it may leave the chart.
double stem_height(std::vector<double> density) {
  std::erase_if(density, [](double y) { return !(std::isfinite(y) && y > 0); });
  if (density.empty()) return 1;
  const auto at = density.begin() + std::ssize(density) * 9 / 10;
  std::nth_element(density.begin(), at, density.end());
  return std::min(2 * *at, *std::max_element(density.begin(), density.end()));
}

// Dots.
report::Series points(std::string label, std::size_t colour, std::vector<double> x, std::vector<double> y) {
  const std::vector<double> none(x.size(), 0.0);
  return {.label = std::move(label), .x = std::move(x), .y = std::move(y), .error = none, .colour = colour};
}

}  // namespace

report::LineChart density_chart(const std::string& title, const isometry::TheorySpectrum& s, const Density& density,
                                const Density& asked) {
  report::LineChart chart{.title = title,
                          .x_label = "log10 of the singular values",
                          .y_label = "density of log10 sigma",
                          .log_y = false,
                          .series = {},
                          .marked = false};
  report::Series curve = density_series(density);
  const double height = stem_height(curve.y);
  curve.label = "density";
  if (!curve.x.empty()) chart.series.push_back(std::move(curve));
  for (const isometry::Atom& atom : s.atoms) {
    if (atom.lambda == 0) {
      chart.x_label += fmt::format(", of which {:.3g} % are 0", 100 * atom.mass);
      continue;
    }
    chart.series.push_back({.label = fmt::format("atom: {:.3g} % are {:.4g}", 100 * atom.mass, std::sqrt(atom.lambda)),
                            .x = {0.5 * std::log10(atom.lambda)},
                            .y = {height},
                            .colour = 1,
                            .stems = true});
  }
  std::vector<double> outliers = s.outliers;
  for (double& x : outliers) x = std::log10(x);
  if (!outliers.empty())
    chart.series.push_back(points("outlier", 2, outliers, std::vector<double>(outliers.size(), 0.0)));
  report::Series wanted = density_series(asked);
  if (!wanted.x.empty()) chart.series.push_back(points("asked for", 3, std::move(wanted.x), std::move(wanted.y)));
  return chart;
}

std::string density_csv(const Density& density) {
  Csv csv({"lambda", "rho"});
  for (std::size_t i = 0; i < density.lambda.size(); ++i) csv.row({density.lambda[i], density.rho[i]});
  return csv.text();
}

std::vector<NamedTensor> density_arrays(const Density& density) {
  return {{"theory_lambda", Tensor::of({std::ssize(density.lambda)}, density.lambda)},
          {"theory_rho", Tensor::of({std::ssize(density.rho)}, density.rho)}};
}

Json finite_width_json(const isometry::FiniteWidth& f, Scalar activation) {
  Json json{{"e_tr", f.e_tr},
            {"e_tr2", f.e_tr2},
            {"e_tr_sq", f.e_tr_sq},
            {"mean_log_sigma", f.mean_log_sigma},
            {"mean_log_norm", f.mean_log_norm},
            {"var_log_norm", f.var_log_norm},
            {"lyapunov", f.lyapunov}};
  if (activation.function == ScalarFunction::relu) {
    json["fourth_moment_ratio"] = f.fourth_moment_ratio;
    json["expected_rank"] = f.expected_rank;
  }
  return json;
}

report::Series density_series(const Density& density) {
  report::Series series{.label = "theory", .x = {}, .y = {}};
  for (std::size_t i = 0; i < density.lambda.size(); ++i) {
    series.x.push_back(0.5 * std::log10(density.lambda[i]));
    series.y.push_back(2 * std::numbers::ln10 * density.lambda[i] * density.rho[i]);
  }
  return series;
}

const char* residual_layer(const isometry::RandomNet& net) {
  return net.order == nn::Branch::activation_first ? "x + a (W f(x) + b)" : "x + a f(W x + b)";
}

std::string mean_field_text(const isometry::MeanField& f, const isometry::RandomNet& net) {
  const char* const grow = f.phase == isometry::Phase::critical  ? "gradients keep their length"
                           : f.phase == isometry::Phase::ordered ? "gradients vanish"
                                                                 : "gradients explode";
  return fmt::format("mean field{}: {} phase, {}\n", net.residual() ? " of the branches alone, h = W f(h) + b" : "",
                     isometry::name(f.phase), grow) +
         line("q*", number_or_word(f.q_star), "fixed point of the squared length") +
         line("chi_1", number_or_word(f.chi_1), "factor of the gradient's second moment per layer") +
         line("V'(q*)", number_or_word(f.v_prime), "factor of a deviation from q* per layer") +
         line("xi_q", number_or_word(f.xi_q), "depth scale of lengths, layers") +
         line("c*", number_or_word(f.c_star), "correlation that two inputs end with") +
         line("xi_c", number_or_word(f.xi_c), "depth scale of correlations, layers") +
         line("E f'^2, E f'^4", number_or_word(f.mu_1) + ", " + number_or_word(f.mu_2), "");
}

std::string spectrum_text(const isometry::TheorySpectrum& s) {
  std::string text =
      "spectrum of the Jacobian at infinite width\n" +
      line("singular values", number_or_word(s.s_min) + " to " + number_or_word(s.s_max),
           s.correlated_slopes ? "of independent masks; relu's are correlated here, which widens it" : "") +
      line("mean of sigma^2", number_or_word(s.mean), "") +
      line("variance / mean^2", number_or_word(s.variance_over_mean2), "of sigma^2") +
      line("mean of ln sigma", number_or_word(s.mean_log_sigma), "");
  for (const isometry::Atom& atom : s.atoms)
    text += line("atom", fmt::format("{:.4g} %", 100 * atom.mass),
                 fmt::format("of the values are {}", number_or_word(std::sqrt(atom.lambda))));
  for (const double sigma : s.outliers)
    text += line("outlier", number_or_word(sigma), "a single value apart from the others");
  return text;
}

std::string finite_width_text(const isometry::FiniteWidth& f, const isometry::RandomNet& net) {
  std::string text = "expectations at this width, exact\n" + line("E tr M / N", number_or_word(f.e_tr), "M = J J^T") +
                     line("E tr M^2 / N", number_or_word(f.e_tr2), "") +
                     line("E (tr M / N)^2", number_or_word(f.e_tr_sq), "") +
                     line("E mean ln sigma", number_or_word(f.mean_log_sigma), "over all layers") +
                     line("E ln |J u|", number_or_word(f.mean_log_norm), "of a fixed direction u") +
                     line("var ln |J u|", number_or_word(f.var_log_norm), "");
  if (net.activation.function == ScalarFunction::relu)
    text += line("E |J u|^4 ratio", number_or_word(f.fourth_moment_ratio), "over (E |J u|^2)^2") +
            line("expected rank", number_or_word(f.expected_rank), "units that are active in all layers at best");
  return text;
}

}  // namespace rz::tool
