#include "tools/rezero/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <unordered_map>

#include "core/error.h"
#include "data/safetensors.h"
#include "tools/rezero/load_weights.h"
#include "tools/rezero/recipe.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

struct IntegerField {
  const char* name;
  std::int64_t TrainState::* member;
};
struct RealField {
  const char* name;
  double TrainState::* member;
};
constexpr IntegerField integer_fields[] = {
    {"train/step", &TrainState::step},
    {"loader/epoch", &TrainState::epoch},
    {"loader/position", &TrainState::position},
    {"random/seed", &TrainState::seed},
    {"train/epoch_steps", &TrainState::epoch_steps},
    {"train/epoch_correct", &TrainState::epoch_correct},
    {"train/epoch_examples", &TrainState::epoch_predictions},
    {"train/best_step", &TrainState::best_step},
    {"train/peak_bytes", &TrainState::peak_bytes},
};
constexpr RealField real_fields[] = {
    {"train/seconds", &TrainState::seconds},
    {"train/epoch_loss_sum", &TrainState::epoch_loss_sum},
    {"train/best_accuracy", &TrainState::best_accuracy},
    {"train/best_loss", &TrainState::best_loss},
};

std::string slot_name(std::string_view slot, const Parameter& parameter) {
  return "optimizer/" + std::string(slot) + "/" + parameter.name();
}

std::vector<NamedTensor> contents_of(ParameterStore& store, const TrainState& state) {
  std::vector<NamedTensor> tensors;
  for (int k = 0; k < store.size(); ++k) tensors.push_back({store[k].name(), store[k].value()});
  for (const std::string& slot : store.slot_names())
    for (int k = 0; k < store.size(); ++k) tensors.push_back({slot_name(slot, store[k]), store.slot(slot, store[k])});
  for (const IntegerField& field : integer_fields) {
    const std::int64_t value = state.*field.member;
    tensors.push_back({field.name, Tensor::of_integers({1}, {&value, 1})});
  }
  for (const RealField& field : real_fields) {
    const double value = state.*field.member;
    tensors.push_back({field.name, Tensor::of({1}, {&value, 1})});
  }
  return tensors;
}

Metadata metadata_of(const nn::Model& model) {
  return {{"format", "rezero checkpoint 1"}, {form_key, form_text(model)}};
}

// A checkpoint's tensors by name.
class TensorsByName {
 public:
  explicit TensorsByName(std::string_view path) : file_(path) {
    for (const SafetensorsEntry& entry : file_.entries()) by_name_.emplace(entry.name, &entry);
  }
  const SafetensorsFile& file() const { return file_; }
  const std::string& path() const { return file_.path(); }
  const SafetensorsEntry& wanted(const std::string& name, const Shape& shape, DType dtype) const {
    const auto found = by_name_.find(name);
    RZ_CHECK(file, found != by_name_.end(), "{}: is no checkpoint to go on from: {} is missing", path(), name);
    const SafetensorsEntry& entry = *found->second;
    RZ_CHECK(file, entry.shape == shape && entry.dtype == dtype, "{}: {} is {} {}, but this run needs {} {}", path(),
             name, entry.dtype, entry.shape, dtype, shape);
    return entry;
  }
  Tensor one(const char* name, DType dtype) const { return file_.read(wanted(name, {1}, dtype)); }

 private:
  SafetensorsFile file_;
  std::unordered_map<std::string_view, const SafetensorsEntry*> by_name_;
};

// N of "step-N.safetensors", else -1.
std::int64_t step_of(std::string_view file) {
  constexpr std::string_view before = "step-", after = ".safetensors";
  if (!file.starts_with(before) || !file.ends_with(after)) return -1;
  const std::string_view digits = file.substr(before.size(), file.size() - before.size() - after.size());
  std::int64_t step = -1;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return end.ec == std::errc() && std::to_string(step) == digits ? step : -1;
}

}  // namespace

void save_checkpoint(std::string_view path, nn::Model& model, const TrainState& state) {
  save_safetensors(path, contents_of(model.parameters(), state), metadata_of(model));
}

std::uint64_t checkpoint_bytes(nn::Model& model) {
  return safetensors_bytes(contents_of(model.parameters(), {}), metadata_of(model));
}

TrainState load_checkpoint(std::string_view path, nn::Model& model) {
  const TensorsByName contents(path);
  check_form(contents.file(), model);
  ParameterStore& store = model.parameters();
  TrainState state;
  for (const IntegerField& field : integer_fields) {
    const std::int64_t value = contents.one(field.name, DType::i64).to_integers()[0];
    const std::int64_t least = field.member == &TrainState::best_step ? -1 : 0;
    RZ_CHECK(file, value >= least, "{}: {} is {}, but must be at least {}", contents.path(), field.name, value, least);
    state.*field.member = value;
  }
  for (const RealField& field : real_fields) state.*field.member = contents.one(field.name, DType::f64).item();
  std::vector<Assignment> assignments = weight_assignments(contents.file(), store);
  for (const std::string& slot : store.slot_names())
    for (int k = 0; k < store.size(); ++k)
      assignments.push_back({&contents.wanted(slot_name(slot, store[k]), store[k].shape(), store.dtype()),
                             store.slot(slot, store[k]), false});
  assign(contents.file(), assignments);
  return state;
}

std::vector<std::int64_t> checkpoint_steps(std::string_view folder) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entry(fs::path(folder), error), end; !error && entry != end; entry.increment(error))
    if (const std::int64_t step = step_of(entry->path().filename().string()); step >= 0) steps.push_back(step);
  std::ranges::sort(steps);
  return steps;
}

std::string checkpoint_file(std::string_view folder, std::int64_t step) {
  return (fs::path(folder) / ("step-" + std::to_string(step) + ".safetensors")).string();
}

void remove_checkpoints(std::string_view folder, std::int64_t keep, std::int64_t best_step) {
  const std::vector<std::int64_t> steps = checkpoint_steps(folder);
  if (keep == CheckpointRecipe::all) return;
  for (std::int64_t k = 0; k + keep < std::ssize(steps); ++k) {
    const std::int64_t step = steps[static_cast<std::size_t>(k)];
    std::error_code ignored;
    if (step != 0 && step != best_step) fs::remove(checkpoint_file(folder, step), ignored);
  }
}

}  // namespace rz::tool
