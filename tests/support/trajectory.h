// The parameters, gradients and rules of tests/optim/reference/trajectories.json.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/step.h"
#include "optim/optimizer.h"
#include "support/reference.h"

namespace rz::test {

inline const nlohmann::json& trajectory_file() { return reference("../optim/reference/trajectories.json"); }

// The parameters with their start values.
struct TrajectoryParameters {
  ParameterStore store;
  std::vector<Parameter> list;

  explicit TrajectoryParameters(DType dtype = DType::f64, Device device = {}) {
    const nlohmann::json& file = trajectory_file();
    const std::vector<double> start = numbers(file["start"]);
    std::size_t at = 0;
    for (const nlohmann::json& p : file["parameters"]) {
      const std::vector<std::int64_t> extents = p["shape"];
      const Shape shape(extents);
      const std::size_t first = at;
      at += static_cast<std::size_t>(shape.elements());
      list.push_back(store.declare(p["name"], shape, role_named(p["role"].get<std::string>()),
                                   [&start, first](std::span<double> values, Random&) {
                                     std::copy_n(start.begin() + static_cast<std::ptrdiff_t>(first), values.size(),
                                                 values.begin());
                                   }));
    }
    store.build(0, dtype, device);
  }

  void set_gradients(const std::vector<double>& row) {
    std::size_t at = 0;
    for (const Parameter& p : list) {
      const std::size_t n = static_cast<std::size_t>(p.shape().elements());
      p.gradient().copy_from(Tensor::of(p.shape(), std::span(row).subspan(at, n)));
      at += n;
    }
  }

  // f(parameter, index of its first number in values(), its numbers).
  template <class F>
  void for_each(F&& f) const {
    std::size_t at = 0;
    for (const Parameter& p : list) {
      const std::size_t n = static_cast<std::size_t>(p.shape().elements());
      f(p, at, n);
      at += n;
    }
  }

  std::vector<double> values() const {
    std::vector<double> all;
    for (const Parameter& p : list)
      for (const double v : p.value().to_vector()) all.push_back(v);
    return all;
  }
};

inline std::vector<double> trajectory_gradients(std::size_t step) {
  return numbers(trajectory_file()["gradients"][step]);
}

// The options of a row of "rules".
inline optim::OptimizerOptions trajectory_options(const nlohmann::json& row) {
  optim::OptimizerOptions options;
  options.name = row["rule"];
  const nlohmann::json& given = row["options"];
  for (const optim::RealKey& key : optim::real_keys())
    if (given.contains(key.name)) options.*key.member = given[std::string(key.name)].get<double>();
  for (const optim::FlagKey& key : optim::flag_keys())
    if (given.contains(key.name)) options.*key.member = given[std::string(key.name)].get<bool>();
  if (given.contains("trust_ratio"))
    for (const Role role : all_roles) options.role(role).trust_ratio = given["trust_ratio"].get<bool>();
  return options;
}

// Values after each of the steps first + 1 ... last, run under the rules of a Step.
inline std::vector<double> trajectory(const optim::Optimizer& optimizer, TrajectoryParameters& p, std::size_t first,
                                      std::size_t last) {
  StepState state(p.store.device());
  Step step;
  std::vector<double> all;
  for (std::size_t t = first; t < last; ++t) {
    p.set_gradients(trajectory_gradients(t));
    state.set(static_cast<std::int64_t>(t) + 1, optimizer.learning_rate());
    step.run([&] { optimizer.step(p.store, state); });
    for (const double v : p.values()) all.push_back(v);
  }
  return all;
}

}  // namespace rz::test
