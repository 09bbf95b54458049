// metrics.jsonl: a JSON object per line, "kind": "step" for logged steps, "monitor" for what moved in them (monitor.h)
// and "epoch" for epochs. Numbers that are not finite are null; no step stands twice within a kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/dataset.h"

namespace rz::tool {

struct ResidualWeights {
  std::vector<double> values;             // all up to 1,024, else 1,024 evenly spaced ones
  double min = 0, mean_abs = 0, max = 0;  // of all
};
ResidualWeights summarise(const std::vector<double>& all);

// What the loss of a text is told in beside nats: bits per byte is loss / ln 2, perplexity exp(loss).
enum class LossUnit { nats, bits_per_byte, perplexity };
LossUnit loss_unit(const Dataset& data);
double in_unit(LossUnit unit, double loss);
std::string_view name(LossUnit unit);
std::string unit_text(LossUnit unit, double loss);  // " (3.21 bits per byte)"; "" for nats

// A line of either kind. Of a step, train_loss and train_accuracy are those of its batch, and there is no validation;
// of an epoch they are the means over its steps, learning rate and gradient norm those of its last step. An epoch that
// ends at a loss or gradient that is not finite has the means of the steps before, and no validation.
struct Metrics {
  bool of_epoch = false;
  LossUnit unit = LossUnit::nats;                              // another one: the losses stand in the file in it, too
  std::int64_t step = 0, epoch = 0;                            // both count from 1
  double train_loss = 0, train_accuracy = 0;                   // NaN: null in the file
  std::optional<double> validation_loss, validation_accuracy;  // of epochs alone
  std::vector<std::pair<std::string, double>>
      learning_rate;  // by role, of the roles that the model has; layers: weights of a base_depth
  double gradient_norm = 0;
  std::optional<ResidualWeights> residual_weights;  // null for forms without
  double seconds = 0;                               // of training since the start, resumed time included
  double examples_per_second = 0;                   // in the steps since the line before of the same kind
  std::int64_t peak_bytes = 0;                      // of memory in any step so far
};

std::string to_json(const Metrics& metrics);  // without the end of line
// Lines of steps and epochs of a file, in order; null becomes NaN. A last line without its end (a killed run) is passed
// over.   Throws: file (line and reason)
std::vector<Metrics> read_metrics(std::string_view path);

// Appends whole lines. A line that cannot be written is kept and tried again with the next; nothing partial stays in
// the file.
class MetricsFile {
 public:
  explicit MetricsFile(std::string_view path);  // makes it if needed.   Throws: file
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;
  bool write(std::string_view json);  // a line without its end; false: lines are waiting
  bool sync();
  const std::string& reason() const { return reason_; }  // of the last failure

 private:
  bool flush();
  std::string path_, waiting_, reason_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

// Rewrites the file without what a run that goes on after `step` writes again: later lines, and at `step` itself the
// epoch line unless the epoch ended there.   Throws: file
void cut_metrics(std::string_view path, std::int64_t step, bool epoch_ended);

}  // namespace rz::tool
