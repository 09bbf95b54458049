#include "support/small_run.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "support/command.h"

namespace rz::test {
namespace {

using nlohmann::json;

std::vector<json> timeless_metrics(const std::string& run) {
  std::vector<json> lines;
  std::string text = contents(run + "/metrics.jsonl");
  for (std::size_t end, begin = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    json line = json::parse(text.substr(begin, end - begin));
    line.erase("seconds");
    line.erase("examples_per_second");
    lines.push_back(std::move(line));
  }
  return lines;
}

// The bytes of every tensor of a safetensors file but the run's seconds, by name.
json timeless_tensors(const std::string& path) {
  const std::string bytes = contents(path);
  if (bytes.size() < 8) return {};
  std::size_t length = 0;
  for (std::size_t k = 8; k-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[k]);
  json tensors = json::parse(bytes.substr(8, length));
  tensors.erase("__metadata__");
  tensors.erase("train/seconds");
  for (auto& [name, entry] : tensors.items()) {
    const std::size_t first = entry["data_offsets"][0], last = entry["data_offsets"][1];
    entry["bytes"] = std::hash<std::string>()(bytes.substr(8 + length + first, last - first));
  }
  return tensors;
}

}  // namespace

std::vector<std::string> small_training(const std::string& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"train", quickstart_recipe, "--out", out};
  for (const char* setting : {"model.depth=3", "model.width=16", "data.train_size=300", "data.validation_size=100",
                              "train.batch_size=20", "train.epochs=4", "train.log_every=1", "schedule.name=constant"})
    arguments.insert(arguments.end(), {"--set", setting});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Comparison same_run(const std::string& a, const std::string& b) {
  const std::vector<json> lines_a = timeless_metrics(a), lines_b = timeless_metrics(b);
  for (std::size_t k = 0; k < std::min(lines_a.size(), lines_b.size()); ++k)
    if (lines_a[k] != lines_b[k]) return {false, "metrics differ:\n" + lines_a[k].dump() + "\n" + lines_b[k].dump()};
  if (lines_a.empty() || lines_a.size() != lines_b.size())
    return {false, std::to_string(lines_a.size()) + " and " + std::to_string(lines_b.size()) + " lines of metrics"};
  const json tensors_a = timeless_tensors(a + "/checkpoints/last.safetensors");
  const json tensors_b = timeless_tensors(b + "/checkpoints/last.safetensors");
  if (tensors_a.empty()) return {false, "no last checkpoint"};
  for (const auto& [name, entry] : tensors_a.items())
    if (!tensors_b.contains(name) || tensors_b[name]["bytes"] != entry["bytes"]) return {false, name + " differs"};
  return {tensors_a.size() == tensors_b.size(), "as many tensors"};
}

}  // namespace rz::test
