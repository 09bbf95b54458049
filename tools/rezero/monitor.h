// What moved: how far a training step changes each role's and each layer's parameters, the gradients and activations by
// layer, and warnings when something cannot learn. Watches single steps from outside: training goes on as without it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/scalar_functions.h"
#include "nn/module.h"
#include "optim/optimizer.h"

namespace rz::tool {

struct MovementSums {                           // over some parameters, in f64
  double weight = 0, update = 0, gradient = 0;  // sums of squares, of the weights before the step
  std::int64_t changed = 0, all = 0;            // numbers whose bits changed, and all
  MovementSums& operator+=(const MovementSums& other);
  double update_ratio() const;  // |update| / |weight|; NaN for weights of 0
};

struct MonitorOptions {
  Scalar activation;            // of the branches
  bool activation_last = true;  // a branch's output is that of the activation
  bool gates_are_trained = true;
};

class Monitor {
 public:
  // All must outlive the monitor.
  Monitor(nn::Model& model, const optim::Optimizer& optimizer, const MonitorOptions& options);

  // Before and after a step on these images [rows, features]. Runs the forward pass once more and keeps a copy of the
  // parameters of the layers that are written between the calls. after() gives the line for metrics.jsonl, without the
  // end of line:
  //   {"kind": "monitor", "step", "epoch", "roles": {ROLE: {"update_ratio", "gradient_norm", "changed"}},
  //    "layers": {"name": [...], "update_ratio": [...], "gradient_norm": [...],
  //    "activation_second_moment": [...]}}
  // changed: the share of numbers whose bits changed; activation_second_moment: mean of x_l^2 after the layer, null
  // where it has none. At most 1,024 layers, evenly spaced; roles are summed over these.
  void before(const Tensor& images);
  std::string after(std::int64_t step, std::int64_t epoch);

  // What has not been told yet: each fault once, by name.
  std::vector<std::string> warnings();

 private:
  struct Layer {
    std::string name;             // "linear_layers.3": the parameters' names without their last word
    std::vector<int> parameters;  // of the store
  };
  struct Activity {              // of the branch of a layer, over the batch
    std::size_t connection = 0;  // its number, from 0
    double second_moment = 0;    // of x'
    bool zero = false;           // F = 0 throughout
    double saturated = 0;        // share of units at the ends of the activation's range
  };
  MovementSums sums_of(int parameter) const;
  double saturated_share(const Tensor& z, const Tensor& f_of_z) const;
  void watch_for_stillness(std::int64_t step);
  void watch_for_faults();
  bool has_gradient(const Layer& layer) const;
  void warn(const std::string& name, const char* fault, const std::string& text);

  nn::Model& model_;
  const optim::Optimizer& optimizer_;
  MonitorOptions options_;
  std::vector<Layer> layers_;
  std::vector<std::size_t> shown_;            // of these, the ones that are written
  std::map<int, std::vector<char>> before_;   // values of their parameters
  std::map<std::string, Activity> activity_;  // by layer
  std::vector<std::string> checksums_;        // of the parameters, when last seen to move
  std::vector<std::int64_t> moved_;           // step of that
  std::set<std::string> told_;
  std::set<std::string> silent_;  // layers without activity and gradient when they were last looked at
  std::vector<std::string> waiting_;
};

}  // namespace rz::tool
