#include "tools/rezero/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <type_traits>

#include "autograd/record.h"
#include "autograd/tape.h"
#include "core/error.h"
#include "core/ops.h"
#include "nn/residual.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/json.h"

namespace rz::tool {
namespace {

constexpr std::size_t most_layers = 1024;

std::vector<char> bytes_of(const Tensor& t) {
  std::vector<char> bytes(t.bytes());
  t.to_host(bytes.data());
  return bytes;
}

template <class T>
MovementSums compare(const std::vector<char>& before, const std::vector<char>& after,
                     const std::vector<char>& gradient) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const auto at = [](const std::vector<char>& bytes) { return reinterpret_cast<const T*>(bytes.data()); };
  const T *w = at(before), *now = at(after), *g = at(gradient);
  MovementSums sums;
  sums.all = static_cast<std::int64_t>(before.size() / sizeof(T));
  for (std::int64_t i = 0; i < sums.all; ++i) {
    const double weight = static_cast<double>(w[i]), update = static_cast<double>(now[i]) - weight;
    sums.weight += weight * weight;
    sums.update += update * update;
    sums.gradient += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    sums.changed += std::bit_cast<Bits>(w[i]) != std::bit_cast<Bits>(now[i]);
  }
  return sums;
}

std::string short_number(double value) { return std::isfinite(value) ? fmt::format("{:.4g}", value) : "null"; }

std::string module_of(const std::string& parameter) {
  const std::size_t dot = parameter.rfind('.');
  return dot == std::string::npos ? parameter : parameter.substr(0, dot);
}

}  // namespace

MovementSums& MovementSums::operator+=(const MovementSums& other) {
  weight += other.weight;
  update += other.update;
  gradient += other.gradient;
  changed += other.changed;
  all += other.all;
  return *this;
}

double MovementSums::update_ratio() const {
  return weight > 0 ? std::sqrt(update / weight) : std::numeric_limits<double>::quiet_NaN();
}

Monitor::Monitor(nn::Model& model, const optim::Optimizer& optimizer, const MonitorOptions& options)
    : model_(model), optimizer_(optimizer), options_(options) {
  const ParameterStore& store = model.parameters();
  std::map<std::string, std::size_t> known;
  for (int i = 0; i < store.size(); ++i) {
    const std::string module = module_of(store[i].name());
    const auto [found, is_new] = known.emplace(module, layers_.size());
    if (is_new) layers_.push_back({module, {}});
    layers_[found->second].parameters.push_back(i);
  }
  shown_ = evenly_spaced(layers_.size(), most_layers);
}

void Monitor::before(const Tensor& images) {
  activity_.clear();
  {
    const NoRecording constant;
    const nn::ResidualProbe probe([&](const nn::ConnectionValues& c) {
      activity_[Scope::path()] = {static_cast<std::size_t>(c.connection),
                                  ops::sum_of_squares(c.y).item() / static_cast<double>(c.y.elements()),
                                  ops::sum_of_squares(c.f).item() == 0, saturated_share(c.z, c.f)};
    });
    const ParameterStore& store = model_.parameters();
    model_.forward(Variable(images.to(model_.input_type()).to(store.device())));
  }
  for (const std::size_t l : shown_)
    for (const int i : layers_[l].parameters) before_[i] = bytes_of(model_.parameters()[i].value());
}

// Of a branch, only where the activation has flat ends: tanh, sigmoid and the like.
double Monitor::saturated_share(const Tensor& z, const Tensor& f_of_z) const {
  constexpr double far = 30, flat = 1e-6;
  const Scalar f = options_.activation;
  if (std::fabs(evaluate(f, 1, far)) > flat || std::fabs(evaluate(f, 1, -far)) > flat) return 0;
  const double low = evaluate(f, 0, -far), high = evaluate(f, 0, far), margin = 0.01 * (high - low);
  std::int64_t ends = 0;
  const std::vector<double> values = (options_.activation_last ? f_of_z : ops::scalar(f, 0, z)).to_vector();
  for (const double value : values) ends += value <= low + margin || value >= high - margin;
  return static_cast<double>(ends) / static_cast<double>(std::max<std::size_t>(1, values.size()));
}

MovementSums Monitor::sums_of(int i) const {
  const Parameter parameter = model_.parameters()[i];
  const std::vector<char> value = bytes_of(parameter.value()), gradient = bytes_of(parameter.gradient());
  return model_.parameters().dtype() == DType::f64 ? compare<double>(before_.at(i), value, gradient)
                                                   : compare<float>(before_.at(i), value, gradient);
}

std::string Monitor::after(std::int64_t step, std::int64_t epoch) {
  RZ_ASSERT(!before_.empty());
  ParameterStore& store = model_.parameters();
  std::map<Role, MovementSums> roles;
  std::map<std::size_t, MovementSums> layers;
  for (const std::size_t l : shown_)
    for (const int i : layers_[l].parameters) {
      const MovementSums sums = sums_of(i);
      roles[store[i].role()] += sums;
      layers[l] += sums;
    }
  std::string by_role, names, ratios, norms, second_moments;
  for (const auto& [role, sums] : roles)
    by_role += fmt::format("{}\"{}\": {{\"update_ratio\": {}, \"gradient_norm\": {}, \"changed\": {}}}",
                           by_role.empty() ? "" : ", ", name(role), short_number(sums.update_ratio()),
                           short_number(std::sqrt(sums.gradient)),
                           short_number(static_cast<double>(sums.changed) / static_cast<double>(sums.all)));
  for (const std::size_t l : shown_) {
    const char* const comma = names.empty() ? "" : ", ";
    const auto activity = activity_.find(layers_[l].name);
    names += comma + json_string(layers_[l].name);
    ratios += comma + short_number(layers[l].update_ratio());
    norms += comma + short_number(std::sqrt(layers[l].gradient));
    second_moments += comma + (activity == activity_.end() ? "null" : short_number(activity->second.second_moment));
  }
  watch_for_stillness(step);
  watch_for_faults();
  before_.clear();
  return fmt::format(
      "{{\"kind\": \"monitor\", \"step\": {}, \"epoch\": {}, \"roles\": {{{}}}, \"layers\": {{\"name\": [{}], "
      "\"update_ratio\": [{}], \"gradient_norm\": [{}], \"activation_second_moment\": [{}]}}}}",
      step, epoch, by_role, names, ratios, norms, second_moments);
}

}  // namespace rz::tool
