// The law of infinite width against the reference files.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "support/close.h"
#include "support/mean_field_reference.h"
#include "support/reference.h"
#include "tools/isometry/theory/law.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;
using nlohmann::json;

namespace {

// Counts the entries of golden.json of a quantity, and hands each on.
template <class F>
int golden_entries(const char* quantity, F&& f) {
  int entries = 0;
  for (const json& entry : reference("golden.json")) {
    if (entry.at("quantity") != quantity) continue;
    f(entry);
    ++entries;
  }
  return entries;
}

void check_close(double value, const json& expected, double rtol, const std::string& what) {
  const double want = number(expected);
  CHECK_MESSAGE(std::abs(value - want) <= rtol * std::abs(want), what << ": " << value << ", not " << want);
}

Law deep(Scalar activation, double q, double sigma_w2, const std::string& weights, std::int64_t depth) {
  const Weights kind = weights == "orth" ? Weights::orthogonal : Weights::gaussian;
  const LayerLaw layer{activation, q, std::sqrt(sigma_w2), kind, depth};
  return deep_law({&layer, 1});
}

Law residual_linear(double gate2, std::int64_t depth) {
  const ResidualLayerLaw layer{{ScalarFunction::identity, 1, 1, Weights::gaussian, depth}, std::sqrt(gate2)};
  return residual_law({&layer, 1}, nn::Branch::activation_last);
}

double variance_of_mask(double p) {  // erf(1 / sqrt(2 q)) = p
  double low = 1e-3, high = 1e3;
  for (int i = 0; i < 200; ++i) {
    const double middle = std::sqrt(low * high);
    (std::erf(1 / std::sqrt(2 * middle)) > p ? low : high) = middle;
  }
  return low;
}

Law masked(const json& inputs, double p) {
  const std::string name = inputs.at("case");
  const bool relu = name == "relu";
  return deep(relu ? ScalarFunction::relu : ScalarFunction::hard_tanh, relu ? 1 : variance_of_mask(p), 1 / p,
              inputs.at("weights"), inputs.at("L"));
}

// "tanh sb2=0.05 orth L=8", on the critical line
Law critical(const std::string& name) {
  static std::map<std::string, Law> known;
  if (const auto found = known.find(name); found != known.end()) return found->second;
  const std::size_t sb2 = name.find(" sb2="), weights = name.find(' ', sb2 + 1), depth = name.find(" L=");
  const std::string key = name.substr(0, sb2) + "_" + name.substr(sb2 + 5, weights - sb2 - 5);
  double q = NAN, sigma_w2 = NAN;
  golden_entries("q* at criticality", [&](const json& e) {
    if (e.at("id") == "critq_" + key) q = number(e.at("value"));
  });
  golden_entries("critical sw2", [&](const json& e) {
    if (e.at("id") == "crit_" + key) sigma_w2 = number(e.at("value"));
  });
  const Law law = deep(activation_of(name.substr(0, sb2)), q, sigma_w2, name.substr(weights + 1, depth - weights - 1),
                       std::stol(name.substr(depth + 3)));
  return known.emplace(name, law).first->second;
}

TEST_CASE("law: golden edges of masked networks") {
  CHECK(golden_entries("lambda_max", [](const json& entry) {
          const TheorySpectrum s = masked(entry.at("inputs"), number(entry.at("inputs").at("p"))).summary();
          check_close(s.s_max * s.s_max, entry.at("value"), entry.at("rtol"), entry.at("id"));
        }) == 42);
}

TEST_CASE("law: golden edges and ref02's moments of Gaussian linear networks") {
  CHECK(golden_entries("lambda_max gaussian linear", [](const json& entry) {
          const Law law = deep(ScalarFunction::identity, 1, 1, "gauss", entry.at("inputs").at("L"));
          check_close(std::pow(law.summary().s_max, 2), entry.at("value"), entry.at("rtol"), entry.at("id"));
        }) == 9);
  const json& rows = reference("ref02_spectra.json").at("gaussian_linear_fuss_catalan").at("rows");
  CHECK(rows.size() == 9);
  for (const json& row : rows) {
    const TheorySpectrum s = deep(ScalarFunction::identity, 1, 1, "gauss", row.at("L")).summary();
    for (int k = 1; k <= 6; ++k)
      check_close(s.moments[static_cast<std::size_t>(k - 1)], row.at("moments").at(std::to_string(k)), 1e-14,
                  row.dump());
    check_close(s.variance_over_mean2, row.at("var"), 1e-14, "var");
    check_close(2 * s.mean_log_sigma, row.at("mean_log_lambda"), 1e-14, "mean log");
  }
}

TEST_CASE("law: ref02's Fuss-Catalan densities") {
  const json& rows = reference("ref02_spectra.json").at("fuss_catalan_density").at("rows");
  CHECK(rows.size() == 46);
  for (const json& row : rows) {
    if (!row.contains("lam")) continue;  // sums over the densities
    const double lambda[] = {number(row.at("lam"))};
    const std::vector<double> rho = deep(ScalarFunction::identity, 1, 1, "gauss", row.at("L")).density(lambda);
    // lam has 16 digits: near an edge the density is no better than that
    check_close(rho[0], row.at("rho"), 1e-11, row.dump());
  }
}

// The reference's last values of these are those of its nodes: law_density.py.
const std::map<std::string, double> by_many_nodes{{"dens_tanh sb2=1e-4 orth L=8", 0.0006650321294776159},
                                                  {"dens_erf_unit sb2=1e-4 orth L=8", 0.0006785984412233373}};

TEST_CASE("law: golden densities and edges of smooth activations on the critical line") {
  CHECK(golden_entries("density rho(lambda) at lam", [](const json& entry) {
          const Law law = critical(entry.at("inputs").at("case"));
          const std::vector<double> rho = law.density(numbers(entry.at("inputs").at("lam")));
          for (std::size_t i = 0; i < rho.size(); ++i) {
            const auto sums = by_many_nodes.find(entry.at("id"));
            const bool replaced = i == 4 && sums != by_many_nodes.end();
            check_close(rho[i], replaced ? json(sums->second) : entry.at("value").at(i), entry.at("rtol"),
                        entry.at("id"));
          }
        }) == 36);
  CHECK(golden_entries("s_max", [](const json& entry) {
          const double s_max = critical(entry.at("inputs").at("case")).summary().s_max;
          check_close(s_max, entry.at("value"), entry.at("rtol"), entry.at("id"));
        }) == 36);
  const json& rows = reference("ref02_spectra.json").at("densities_general");
  CHECK(rows.size() == 36);
  for (const json& row : rows) {
    const TheorySpectrum s = critical(row.at("case")).summary();
    check_close(s.mean, row.at("mean"), 1e-11, row.at("case"));
    check_close(s.variance_over_mean2, row.at("var_over_mean2"), 1e-9, row.at("case"));
  }
}

TEST_CASE("law: golden mean log sigma of orthogonal networks on the critical line") {
  CHECK(golden_entries("E log s per layer, orthogonal, critical", [](const json& entry) {
          const json& inputs = entry.at("inputs");
          const std::string name = inputs.at("act").get<std::string>() + " sb2=" + inputs.at("sb2").get<std::string>();
          check_close(critical(name + " orth L=1").summary().mean_log_sigma, entry.at("value"), entry.at("rtol"),
                      entry.at("id"));
        }) == 20);
}

TEST_CASE("law: golden edges of the universal laws") {
  CHECK(golden_entries("universal edges", [](const json& entry) {
          const json& value = entry.at("value");
          const double v = number(entry.at("inputs").at("v")), rtol = entry.at("rtol");
          const TheorySpectrum smooth = universal_law(Universality::smooth, v).summary();
          check_close(std::pow(smooth.s_min, 2), value.at("smooth_lmin"), rtol, "smooth");
          check_close(std::pow(smooth.s_max, 2), value.at("smooth_lmax"), rtol, "smooth");
          const TheorySpectrum masks = universal_law(Universality::bernoulli, v).summary();
          check_close(std::pow(masks.s_max, 2), value.at("bernoulli_lmax"), rtol, "bernoulli");
          CHECK(masks.atoms.size() == (v < 1 ? 1 : 0));
          const TheorySpectrum residual = residual_limit_law(v / 2).summary();
          check_close(std::pow(residual.s_max, 2), value.at("resid_lmax"), rtol, "residual");
          CHECK(residual.s_min * residual.s_max == doctest::Approx(1).epsilon(1e-13));
        }) == 7);
}

TEST_CASE("law: golden residual networks with a linear branch") {
  CHECK(golden_entries("residual x+aWx edges (N=inf)", [](const json& entry) {
          const json& value = entry.at("value");
          const json& depth = entry.at("inputs").at("L");
          const Law law = depth.is_string() ? residual_limit_law(number(entry.at("inputs").at("t")))
                                            : residual_linear(number(entry.at("inputs").at("alpha2")), depth);
          const TheorySpectrum s = law.summary();
          const double rtol = entry.at("rtol");
          check_close(s.mean, value.at("mean"), rtol, entry.at("id"));
          check_close(s.variance_over_mean2, value.at("var_over_mean2"), rtol, entry.at("id"));
          check_close(std::pow(s.s_max, 2), value.at("lambda_max"), rtol, entry.at("id"));
          const json& lambda_min = value.at("lambda_min");
          check_close(std::pow(s.s_min, 2), lambda_min.is_null() ? json(0.0) : lambda_min, rtol, entry.at("id"));
        }) == 40);
  const json& rows = reference("ref04_residual_and_mc.json").at("E_log_lambda");
  CHECK(rows.size() == 5);
  for (const json& row : rows) {
    const double value = 2 * residual_linear(number(row.at("a2")), 1).summary().mean_log_sigma;
    CHECK(value == doctest::Approx(number(row.at("per_layer"))).epsilon(1e-6));
  }
}

TEST_CASE("law: golden moments") {
  const auto check = [](const Law& law, const json& expected, double rtol) {
    for (std::size_t k = 0; k < 6; ++k) check_close(law.summary().moments[k], expected.at(k), rtol, expected.dump());
  };
  CHECK(golden_entries("moments", [&](const json& entry) {
          const double rtol = entry.at("rtol");
          for (const json& row : entry.at("value")) {
            if (row.contains("m")) {
              check(residual_limit_law(number(row.at("t"))), row.at("m"), rtol);
            } else if (row.contains("v")) {
              check(universal_law(Universality::smooth, number(row.at("v"))), row.at("smooth"), rtol);
              check(universal_law(Universality::bernoulli, number(row.at("v"))), row.at("bernoulli"), rtol);
            } else {
              // sqrt(2)^2 is 2.2e-16 above 2, to the power of 6 L in the sixth moment
              check(deep(ScalarFunction::relu, 1, 2, "orth", row.at("L")), row.at("relu_orth"), 1e-12);
              check(deep(ScalarFunction::relu, 1, 2, "gauss", row.at("L")), row.at("relu_gauss"), 1e-12);
              check(deep(ScalarFunction::identity, 1, 1, "gauss", row.at("L")), row.at("gauss_linear"), rtol);
            }
          }
        }) == 3);
}

TEST_CASE("law: ref02's densities of closed S-transforms") {
  const json& rows = reference("ref02_spectra.json").at("densities_closed_S");
  CHECK(rows.size() == 18);
  for (const json& row : rows) {
    const std::string name = row.at("case");
    const std::size_t sign = name.find('=');
    const double value = std::stod(name.substr(sign + 1));
    const auto depth = static_cast<std::int64_t>(value);
    const Law law = name.starts_with("gauss linear") ? deep(ScalarFunction::identity, 1, 1, "gauss", depth)
                    : name.starts_with("relu")       ? deep(ScalarFunction::relu, 1, 2, name.substr(5, sign - 7), depth)
                    : name.starts_with("smooth")     ? universal_law(Universality::smooth, value)
                                                     : residual_limit_law(value);
    const std::vector<double> rho = law.density(numbers(row.at("lam")));
    for (std::size_t i = 0; i < rho.size(); ++i) check_close(rho[i], row.at("rho").at(i), 1e-9, name);
  }
}

}  // namespace
