// What a Monitor warns of.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/ops.h"
#include "data/checksum.h"
#include "tools/rezero/monitor.h"

namespace rz::tool {
namespace {

constexpr std::int64_t still_steps = 1000;  // without moving
constexpr double mostly = 0.95;             // of a layer's units
constexpr std::size_t most_warnings = 20;   // then one line says that there are more

bool is_zero(const Tensor& t) { return ops::sum_of_squares(t).item() == 0; }

}  // namespace

void Monitor::warn(const std::string& name, const char* fault, const std::string& text) {
  if (!told_.insert(name + ": " + fault).second || told_.size() > most_warnings + 1) return;
  waiting_.push_back(told_.size() > most_warnings ? "more layers have faults; they are not named any more"
                                                  : name + ": " + text);
}

std::vector<std::string> Monitor::warnings() { return std::exchange(waiting_, {}); }

// A parameter that the optimiser updates and whose bits stay the same.
void Monitor::watch_for_stillness(std::int64_t step) {
  const ParameterStore& store = model_.parameters();
  const bool first = checksums_.empty();
  checksums_.resize(static_cast<std::size_t>(store.size()));
  moved_.resize(checksums_.size(), step);
  std::vector<char> bytes;
  for (int k = 0; k < store.size(); ++k) {
    const auto i = static_cast<std::size_t>(k);
    const Parameter parameter = store[k];
    bytes.resize(parameter.value().bytes());
    parameter.value().to_host(bytes.data());
    const std::string checksum = checksum_of(bytes.data(), bytes.size());
    if (first || checksum != checksums_[i]) moved_[i] = step;
    checksums_[i] = checksum;
    const bool trained = parameter.role() != Role::buffer && optimizer_.rate_factor(parameter.role()) > 0 &&
                         (options_.gates_are_trained || parameter.role() != Role::residual_weight);
    if (trained && step - moved_[i] >= still_steps)
      warn(parameter.name(), "still", fmt::format("has not moved for {} steps, although it is trained", still_steps));
  }
}

bool Monitor::has_gradient(const Layer& layer) const {
  return std::ranges::any_of(layer.parameters, [&](int i) { return !is_zero(model_.parameters()[i].gradient()); });
}

// Layers that cannot learn: two zero factors in a row, no unit that ever fires, units at the ends of their range.
void Monitor::watch_for_faults() {
  const std::vector<double> gate = nn::gate_values(model_);
  for (const Layer& layer : layers_) {
    const auto found = activity_.find(layer.name);
    if (found == activity_.end()) continue;
    // Connections have some gates each (vectors), or share one (sub-layers).
    const std::size_t connections = std::max<std::size_t>(1, activity_.size());
    const std::size_t each = gate.empty() ? 0 : std::max<std::size_t>(1, gate.size() / connections),
                      at = found->second.connection * gate.size() / connections;
    bool closed = each > 0;
    for (std::size_t k = at; k < at + each; ++k) closed = closed && gate[k] == 0;
    if (closed && found->second.zero && is_zero(model_.parameters()[layer.parameters.front()].value()))
      warn(layer.name, "closed",
           "its gate is 0 and its last matrix is 0: neither gets a gradient, and nothing in it can ever move");
    else if (!found->second.zero || has_gradient(layer))
      silent_.erase(layer.name);
    else if (!silent_.insert(layer.name).second)  // twice: a last layer that starts at 0 stops the first gradient
      warn(layer.name, "dead", "is dead: no unit fires for any example, and it gets no gradient");
    if (found->second.saturated > mostly)
      warn(layer.name, "saturated",
           fmt::format("is saturated: {:.0f} % of its units lie at the ends of the activation's range",
                       100 * found->second.saturated));
  }
}

}  // namespace rz::tool
