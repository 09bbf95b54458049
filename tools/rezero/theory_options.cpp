#include "tools/rezero/theory_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/numbers.h"

namespace rz::tool {
namespace {

std::string listed_activations() {
  std::string names;
  for (const ScalarFunction f : activations()) names += (names.empty() ? "" : ", ") + std::string(info(f).name);
  return names;
}

template <class T>
void number(CLI::App& command, const std::string& flag, std::optional<T>& value, const std::string& text,
            const std::string& name) {
  CLI::Option* const option = command.add_option(flag, value, text)->type_name(name);
  if constexpr (std::is_integral_v<T>) option->check(check_whole_number);
}

void check_number(const std::optional<double>& value, std::string_view flag, double low, double high = 1e300) {
  if (value && !(*value >= low && *value <= high))
    throw UsageError(fmt::format("{}: is {:g}, but must be a number from {:g} to {:g}", flag, *value, low, high));
}

void check_count(const std::optional<std::int64_t>& value, std::string_view flag, std::int64_t least,
                 std::int64_t most) {
  if (value && (*value < least || *value > most))
    throw UsageError(fmt::format("{}: is {}, but must be a number from {} to {}", flag, *value, least, most));
}

void check_numbers(const TheoryOptions& o) {
  check_sigma(o.sigma_w, "--sigma-w");
  check_sigma(o.sigma_b, "--sigma-b");
  check_number(o.t, "--t", 0);
  check_number(o.variance, "--variance", 0);
  check_number(o.q0, "--q0", 0, 1e200);
  refuse(o.gate && !std::isfinite(*o.gate), "--gate", "is not a finite number");
  refuse(o.c0 && !(*o.c0 >= -1 && *o.c0 <= 1), "--c0", "is a correlation, from -1 to 1");
  check_count(o.depth, "--depth", 1, 1000000);
  check_count(o.width, "--width", 1, 100000);
  check_count(o.points, "--points", 2, 100000);
  for (const double lambda : o.lambda)
    refuse(!(std::isfinite(lambda) && lambda >= 0), "--lambda", "values of sigma^2 are finite and not below 0");
}

void check_sigmas(const TheoryOptions& o) {
  refuse(o.critical && o.half_stable, "--half-stable", "--critical was given, too (give one of the two)");
  refuse(o.critical && o.sigma_w && o.sigma_b, "--critical",
         "sigma_w and sigma_b were both given (give the one that stands; the other is found)");
  refuse(o.critical && !o.sigma_w && !o.sigma_b, "--critical",
         "neither sigma_w nor sigma_b was given (give one; the other is found)");
  refuse(o.half_stable && (o.sigma_w || o.sigma_b), "--half-stable",
         "finds sigma_w and sigma_b, but one of them was given");
}

void check_limit(const TheoryOptions& o) {
  refuse(!o.universal.empty() && !o.variance, "--universal", "needs the variance of sigma^2 (--variance V)");
  refuse(o.universal.empty() && o.variance.has_value(), "--variance",
         "belongs to --universal (theory recommend has --max-variance)");
  refuse(!o.universal.empty() && o.t, "--t", "--universal was given, too (give one of the two)");
  if (!is_limit(o)) return;
  const char* const flag = o.universal.empty() ? "--t" : "--universal";
  refuse(!o.universal.empty() && o.depth, "--depth", "the universal laws are those of infinite depth");
  refuse(
      !o.net.activation.empty() || o.sigma_w || o.sigma_b || o.critical || o.half_stable || o.gate || o.width || o.q0,
      flag, "is a limit of infinite depth that depends on nothing else (or, for --t, add --depth)");
}

}  // namespace

void add_activation(CLI::App& command, NetOptions& options) {
  command.add_option("--activation", options.activation, "One of " + listed_activations())->type_name("NAME");
  number(command, "--negative-slope", options.negative_slope, "Of leaky_relu (default 0.01)", "S");
}

void add_net(CLI::App& command, NetOptions& options) {
  add_activation(command, options);
  add_choice(command, "--weights", options.weights, "Their distribution: gaussian (default), or orthogonal (Haar)",
             {"gaussian", "orthogonal"});
  add_choice(command, "--form", options.form,
             "deep: h = W f(h) + b (default); rezero: x + a F(x), one gate a for all layers, |x_0|^2 = width\n(default "
             "with --t)",
             {"deep", "rezero"});
  add_choice(command, "--branch", options.branch, "Order of F: f(W x + b) (default), or W f(x) + b; of --form rezero",
             {"activation_last", "activation_first"});
}

isometry::Weights weights_of(const NetOptions& options) {
  return options.weights == "orthogonal" ? isometry::Weights::orthogonal : isometry::Weights::gaussian;
}

nn::Branch branch_of(const NetOptions& options) {
  return options.branch.empty() ? nn::Branch::activation_last : nn::branch_named(options.branch);
}

Scalar activation_of(const NetOptions& options) {
  if (options.activation.empty())
    throw UsageError(fmt::format("--activation: none was given ({})", listed_activations()));
  return checked_usage("--activation", [&] {
    const ScalarFunction f = activation_named(options.activation);
    if (options.negative_slope && f != ScalarFunction::leaky_relu)
      throw UsageError(fmt::format("--negative-slope: {} has none (only leaky_relu)", options.activation));
    if (options.negative_slope && !std::isfinite(*options.negative_slope))
      throw UsageError("--negative-slope: is not a finite number");
    return options.negative_slope ? Scalar(f, *options.negative_slope) : Scalar(f);
  });
}

void add_theory(CLI::App& command, TheoryOptions& o) {
  add_net(command, o.net);
  number(command, "--sigma-w", o.sigma_w, "Standard deviation of weights: W_ij from N(0, sigma_w^2/fan_in) (default 1)",
         "X");
  number(command, "--sigma-b", o.sigma_b, "Standard deviation of biases (default 0)", "X");
  command.add_flag("--critical", o.critical,
                   "Finds that of sigma_w and sigma_b that was not given on the line chi_1 = 1");
  command.add_flag("--half-stable", o.half_stable, "Finds both where chi_1 = 1 and V' = 1: gelu, gelu_tanh, silu");
  number(command, "--depth", o.depth, "Layers L: adds the spectrum of their Jacobian", "L");
  number(command, "--gate", o.gate, "Gate a of --form rezero", "A");
  number(command, "--t", o.t,
         "a^2 sigma_w^2 E f'^2 L of --form rezero, in place of its gate; without --depth L -> infinity", "T");
  add_choice(command, "--universal", o.universal, "A limit law L -> infinity at fixed variance of sigma^2",
             {"smooth", "bernoulli"});
  number(command, "--variance", o.variance, "Of sigma^2 in units of its mean^2, for --universal", "V");
  number(command, "--width", o.width, "Adds what is known exactly at N units (with --depth)", "N");
  number(command, "--q0", o.q0, "With --c0 and --depth: adds the path of two inputs of this squared length ...", "Q");
  number(command, "--c0", o.c0, "... and of this correlation", "C");
  number(command, "--points", o.points, "Points of the density, even in log lambda (default 400)", "N");
  add_list(command, "--lambda", o.lambda, "The density at these values of sigma^2 instead", "X,Y,...");
  add_outputs(command, o.output, "The density, or the path", "The density of log10 sigma");
}

void check_sigma(const std::optional<double>& value, std::string_view flag) { check_number(value, flag, 0, 1e4); }

bool is_rezero(const TheoryOptions& o) { return o.net.form == "rezero" || (o.net.form.empty() && o.t); }

bool is_limit(const TheoryOptions& o) { return !o.universal.empty() || (o.t && !o.depth); }

void check_theory(const TheoryOptions& o) {
  check_numbers(o);
  check_sigmas(o);
  check_limit(o);
  const bool rezero = is_rezero(o);
  refuse(o.gate && !rezero, "--gate", "belongs to --form rezero");
  refuse(o.t && !rezero, "--t", "belongs to --form rezero");
  refuse(o.gate && o.t, "--t", "--gate was given, too (give one of the two)");
  refuse(rezero && o.depth && !o.gate && !o.t, "--form", "rezero needs its gate (--gate A, or --t T)");
  refuse(o.depth && o.sigma_w && *o.sigma_w == 0, "--sigma-w",
         "is 0, so there is no spectrum (take it above 0, or leave --depth out)");
  refuse(o.gate && !o.depth, "--gate", "needs a number of layers (--depth L)");
  refuse(o.width && !o.depth, "--width", "needs a number of layers (--depth L)");
  refuse(o.q0.has_value() != o.c0.has_value(), o.q0 ? "--c0" : "--q0", "is missing (a path needs --q0 and --c0)");
  refuse(o.q0 && !o.depth, "--q0", "needs a number of layers (--depth L)");
  refuse(o.q0 && rezero, "--q0", "belongs to --form deep");
  refuse(!o.net.branch.empty() && !rezero, "--branch", "belongs to --form rezero");
  refuse(is_limit(o) && (!o.net.branch.empty() || !o.net.weights.empty()),
         !o.net.branch.empty() ? "--branch" : "--weights", "the limits do not depend on it");
  refuse(!o.universal.empty() && !o.net.form.empty(), "--form", "the universal laws have none");
  refuse(o.points && !o.lambda.empty(), "--points", "--lambda was given, too (give one of the two)");
  refuse((o.points || !o.lambda.empty()) && !o.depth && !is_limit(o), o.points ? "--points" : "--lambda",
         "there is no spectrum without --depth L");
}

std::optional<Interval> parse_pair(std::string_view text, char between) {
  Interval pair;
  const std::size_t at = text.find(between);
  const auto read = [](std::string_view part, double& value) {
    const auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc() && rest == part.data() + part.size() && std::isfinite(value);
  };
  const bool good =
      at != std::string_view::npos && read(text.substr(0, at), pair.low) && read(text.substr(at + 1), pair.high);
  return good ? std::optional(pair) : std::nullopt;
}

Interval parse_interval(std::string_view text, std::string_view what) {
  const std::optional<Interval> interval = parse_pair(text, ':');
  if (!interval) throw UsageError(fmt::format("{}: '{}' is no interval (write LO:HI)", what, printable(text)));
  if (interval->low > interval->high)
    throw UsageError(fmt::format("{}: {:g} is above {:g} (write LO:HI)", what, interval->low, interval->high));
  return *interval;
}

}  // namespace rz::tool
