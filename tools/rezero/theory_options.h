// What `rezero theory` is asked, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/scalar_functions.h"
#include "tools/isometry/theory/law.h"
#include "tools/rezero/outputs.h"

namespace rz::tool {

// The network: activation, sigma_w, sigma_b, weights, form. Common to `theory`, `theory phase`, `theory recommend`.
struct NetOptions {
  std::string activation;
  std::optional<double> negative_slope;  // of leaky_relu
  std::string weights, form, branch;     // empty: gaussian, deep, activation_last
};
void add_activation(CLI::App& command, NetOptions& options);  // --activation, --negative-slope
void add_net(CLI::App& command, NetOptions& options);         // with --weights, --form, --branch
Scalar activation_of(const NetOptions& options);  // Throws: UsageError (none given, unknown, a slope of another)

struct TheoryOptions {
  NetOptions net;
  std::optional<double> sigma_w, sigma_b;
  bool critical = false, half_stable = false;
  std::optional<double> gate, t, variance, q0, c0;
  std::string universal;
  std::optional<std::int64_t> depth, width, points;
  std::vector<double> lambda;
  OutputOptions output;
};
void add_theory(CLI::App& command, TheoryOptions& options);
// A standard deviation of weights or biases, if it was given.   Throws: UsageError
void check_sigma(const std::optional<double>& value, std::string_view flag);
// Options that exclude or need each other.   Throws: UsageError
void check_theory(const TheoryOptions& options);
bool is_rezero(const TheoryOptions& options);
isometry::Weights weights_of(const NetOptions& options);
nn::Branch branch_of(const NetOptions& options);
// The limits L -> infinity, which need no activation: --universal, or --t without --depth.
bool is_limit(const TheoryOptions& options);

// "0.5:2": two ends, low <= high.   Throws: UsageError (`what` opens the message)
struct Interval {
  double low = 0, high = 0;
};
Interval parse_interval(std::string_view text, std::string_view what);
// Two numbers with a character between them, or none.
std::optional<Interval> parse_pair(std::string_view text, char between);

}  // namespace rz::tool
