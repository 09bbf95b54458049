#include "tools/rezero/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <system_error>

#include "core/error.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/json.h"

namespace rz::tool {
namespace {

using nlohmann::json;

std::string residual_text(const std::optional<ResidualWeights>& weights) {
  if (!weights) return "null";
  return fmt::format("{{\"values\": {}, \"min\": {}, \"mean_abs\": {}, \"max\": {}}}", json_list(weights->values),
                     json_number(weights->min), json_number(weights->mean_abs), json_number(weights->max));
}

double number_or_nan(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

std::optional<double> optional_number(const json& value) {
  return value.is_null() ? std::optional<double>() : value.get<double>();
}

Metrics metrics_of(const json& line) {
  Metrics m;
  const std::string kind = line.at("kind");
  if (kind != "step" && kind != "epoch") throw std::invalid_argument("kind is none of step, monitor and epoch");
  m.of_epoch = kind == "epoch";
  m.step = line.at("step");
  m.epoch = line.at("epoch");
  m.train_loss = number_or_nan(line.at("train_loss"));
  m.train_accuracy = number_or_nan(line.at("train_accuracy"));
  m.validation_loss = optional_number(line.at("validation_loss"));
  m.validation_accuracy = optional_number(line.at("validation_accuracy"));
  for (const auto& [role, rate] : line.at("learning_rate").items())
    m.learning_rate.emplace_back(role, number_or_nan(rate));
  m.gradient_norm = number_or_nan(line.at("gradient_norm"));
  if (const json& weights = line.at("residual_weights"); !weights.is_null()) {
    m.residual_weights.emplace();
    for (const json& value : weights.at("values")) m.residual_weights->values.push_back(number_or_nan(value));
    m.residual_weights->min = number_or_nan(weights.at("min"));
    m.residual_weights->mean_abs = number_or_nan(weights.at("mean_abs"));
    m.residual_weights->max = number_or_nan(weights.at("max"));
  }
  m.seconds = number_or_nan(line.at("seconds"));
  m.examples_per_second = number_or_nan(line.at("examples_per_second"));
  m.peak_bytes = line.at("peak_bytes");
  return m;
}

// f(line with its end, its JSON) for every whole line.
template <class F>
void each_line(std::string_view text, std::string_view path, F&& f) {
  std::int64_t count = 0;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    ++count;
    try {
      f(text.substr(0, end + 1), json::parse(text.substr(0, end)));
    } catch (const std::exception& error) {
      RZ_FAIL(file, "{}:{}: is not a line of metrics: {}", absolute(path), count, reason_of(error));
    }
  }
}

}  // namespace

ResidualWeights summarise(const std::vector<double>& all) {
  constexpr std::size_t most = 1024;
  ResidualWeights result;
  result.min = result.max = all.at(0);
  double sum = 0;
  for (const double value : all) {
    result.min = std::min(result.min, value);
    result.max = std::max(result.max, value);
    sum += std::abs(value);
  }
  result.mean_abs = sum / static_cast<double>(all.size());
  for (const std::size_t k : evenly_spaced(all.size(), most)) result.values.push_back(all[k]);
  return result;
}

LossUnit loss_unit(const Dataset& data) {
  if (!data.is_text() || data.windows.labels < data.windows.context) return LossUnit::nats;
  constexpr std::int64_t byte_values = 256;
  return data.classes() == byte_values ? LossUnit::bits_per_byte : LossUnit::perplexity;
}

double in_unit(LossUnit unit, double loss) {
  if (unit == LossUnit::bits_per_byte) return loss / std::numbers::ln2;
  return unit == LossUnit::perplexity ? std::exp(loss) : loss;
}

std::string_view name(LossUnit unit) {
  constexpr std::string_view names[] = {"nats", "bits_per_byte", "perplexity"};
  return names[static_cast<std::size_t>(unit)];
}

std::string unit_text(LossUnit unit, double loss) {
  if (unit == LossUnit::nats) return "";
  const std::string value = fmt::format("{:.4g}", in_unit(unit, loss));
  return unit == LossUnit::perplexity ? " (perplexity " + value + ")" : " (" + value + " bits per byte)";
}

std::string to_json(const Metrics& m) {
  std::string rates;
  for (const auto& [role, rate] : m.learning_rate)
    rates += fmt::format("{}{}: {}", rates.empty() ? "" : ", ", json_string(role), json_number(rate));
  const auto optional = [](const std::optional<double>& value) { return value ? json_number(*value) : "null"; };
  std::string in_units;
  if (m.unit != LossUnit::nats) {
    const auto value = [&](double loss) { return json_number(in_unit(m.unit, loss)); };
    in_units = fmt::format("\"train_{0}\": {1}, \"validation_{0}\": {2}, ", name(m.unit), value(m.train_loss),
                           m.validation_loss ? value(*m.validation_loss) : "null");
  }
  return fmt::format(
      "{{\"kind\": \"{}\", \"step\": {}, \"epoch\": {}, \"train_loss\": {}, \"train_accuracy\": {}, "
      "\"validation_loss\": {}, "
      "\"validation_accuracy\": {}, {}\"learning_rate\": {{{}}}, \"gradient_norm\": {}, \"residual_weights\": {}, "
      "\"seconds\": {:.6f}, "
      "\"examples_per_second\": {:.1f}, \"peak_bytes\": {}}}",
      m.of_epoch ? "epoch" : "step", m.step, m.epoch, json_number(m.train_loss), json_number(m.train_accuracy),
      optional(m.validation_loss), optional(m.validation_accuracy), in_units, rates, json_number(m.gradient_norm),
      residual_text(m.residual_weights), m.seconds, m.examples_per_second, m.peak_bytes);
}

std::vector<Metrics> read_metrics(std::string_view path) {
  std::vector<Metrics> lines;
  each_line(read_file(path), path, [&](std::string_view, const json& line) {
    if (line.at("kind") != "monitor") lines.push_back(metrics_of(line));
  });
  return lines;
}

void cut_metrics(std::string_view path, std::int64_t step, bool epoch_ended) {
  const std::string before = read_file(path);
  std::string after;
  each_line(before, path, [&](std::string_view line, const json& parsed) {
    const std::int64_t at = parsed.at("step");
    if (at < step || (at == step && (parsed.at("kind") != "epoch" || epoch_ended))) after += line;
  });
  if (after != before) write_atomically(path, after);
}

MetricsFile::MetricsFile(std::string_view path) : path_(absolute(path)) {
  descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const int reason = descriptor_ < 0 ? errno : 0;
  RZ_CHECK(file, reason == 0, "{}: cannot be written: {}", path_, std::generic_category().message(reason));
  size_ = lseek(descriptor_, 0, SEEK_END);
}

MetricsFile::~MetricsFile() { close(descriptor_); }

bool MetricsFile::write(std::string_view json) {
  waiting_ += json;
  waiting_ += '\n';
  return flush();
}

bool MetricsFile::flush() {
  while (!waiting_.empty()) {
    const std::size_t end = waiting_.find('\n') + 1;
    ssize_t count = -1;
    do {
      count = ::write(descriptor_, waiting_.data(), end);
    } while (count < 0 && errno == EINTR);
    if (count != static_cast<ssize_t>(end)) {
      reason_ = std::generic_category().message(count < 0 ? errno : ENOSPC);
      [[maybe_unused]] const int result = ftruncate(descriptor_, size_);  // nothing partial stays
      return false;
    }
    size_ += count;
    waiting_.erase(0, end);
  }
  return true;
}

bool MetricsFile::sync() { return flush() && fsync(descriptor_) == 0; }

}  // namespace rz::tool
