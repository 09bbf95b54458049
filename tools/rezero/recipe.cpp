#include "tools/rezero/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <set>

#include "core/nearest.h"
#include "data/file.h"
#include "data/normalisation.h"
#include "data/text.h"
#include "nn/models/cnn.h"
#include "nn/models/fully_connected.h"
#include "optim/ema.h"
#include "tools/rezero/command.h"
#include "tools/rezero/recipe_keys.h"

namespace rz::tool {
namespace {

using Names = std::set<std::string, std::less<>>;

Value value_of(const toml::node& node) {
  Value value;
  if (const auto* truth = node.as_boolean()) {
    value.kind = Value::boolean;
    value.truth = truth->get();
  } else if (const auto* whole = node.as_integer()) {
    value.kind = Value::integer;
    value.whole = whole->get();
    value.number = static_cast<double>(value.whole);
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = Value::real;
    value.number = number->get();
  } else if (const auto* text = node.as_string()) {
    value.kind = Value::string;
    value.text = text->get();
  } else if (const auto* list = node.as_array()) {
    value.kind = Value::list;
    for (const toml::node& item : *list) value.items.push_back(value_of(item));
  }
  return value;
}

std::string place(std::string_view file, const toml::source_region& where) {
  return fmt::format("{}:{}:{}", file, where.begin.line, where.begin.column);
}

// The names of sections ("optimizer", "optimizer.bias"), or of the keys of one.
Names sections() {
  Names names;
  for (const Key& key : keys()) names.insert(key.section);
  return names;
}
Names keys_of(std::string_view section) {
  Names names;
  for (const Key& key : keys())
    if (key.section == section) names.insert(key.name);
  return names;
}
std::string hint(std::string_view word, const Names& names, std::string_view otherwise) {
  return did_you_mean(word, std::vector<std::string_view>(names.begin(), names.end()), otherwise);
}

std::string unknown_key(std::string_view section, std::string_view name) {
  const Names known = keys_of(section);
  std::string otherwise = fmt::format(" (known: {})", fmt::join(known, ", "));
  for (const Key& key : keys())
    if (key.name == name) otherwise = fmt::format(" (it belongs in [{}])", key.section);
  return fmt::format("unknown key '{}' in [{}]{}", printable(name), section, hint(name, known, otherwise));
}

// Reads a table and those in it; notes the keys that it sets.
void read_section(const toml::table& table, const std::string& section, std::string_view file, Recipe& recipe,
                  Names& set) {
  for (const auto& [toml_key, node] : table) {
    const std::string name(toml_key.str()), full = section.empty() ? name : section + "." + name;
    const std::string where = place(file, toml_key.source());
    if (const Key* key = find_key(full)) {
      try {
        key->read(recipe, value_of(node));
      } catch (const UsageError& error) {
        throw UsageError(fmt::format("{}: {} {}", place(file, node.source()), full, error.message()));
      }
      set.insert(full);
    } else if (const Names names = sections(); names.contains(full) && node.is_table()) {
      read_section(*node.as_table(), full, file, recipe, set);
    } else if (names.contains(full)) {
      throw UsageError(fmt::format("{}: {} must be a section: [{}] and its keys below", where, full, full));
    } else if (section.empty() || node.is_table()) {
      throw UsageError(fmt::format("{}: unknown {} '{}'{}", where,
                                   node.is_table() ? "section" : "key outside a section", printable(full),
                                   hint(full, names, fmt::format(" (sections: {})", fmt::join(names, ", ")))));
    } else {
      throw UsageError(fmt::format("{}: {}", where, unknown_key(section, name)));
    }
  }
}

// The value of --set as TOML, or as a plain string when it is none.
Value setting_value(const std::string& text) {
  try {
    const toml::table table = toml::parse("x = " + text);
    if (const toml::node* node = table.get("x"); node && table.size() == 1) return value_of(*node);
  } catch (const toml::parse_error&) {  // NOLINT(bugprone-empty-catch): then it is a plain string
  }
  Value value;
  value.kind = Value::string;
  value.text = text;
  try {
    static_cast<void>(toml::parse("x = " + toml_string(text)));  // recipe.toml must be able to hold it
  } catch (const toml::parse_error&) {
    throw UsageError(fmt::format("has the value '{}', which is not UTF-8 text", printable(text)));
  }
  return value;
}

std::string setting_key(std::string_view setting) {
  std::string_view key = setting.substr(0, setting.find('='));
  while (key.starts_with(' ')) key.remove_prefix(1);
  while (key.ends_with(' ')) key.remove_suffix(1);
  return std::string(key);
}

void apply_setting(const std::string& setting, Recipe& recipe, Names& set) {
  if (setting.find('=') == std::string::npos)
    throw UsageError(fmt::format("--set: '{}' has no '=' (write --set section.key=value)", printable(setting)));
  const std::string name = setting_key(setting);
  const Key* key = find_key(name);
  if (!key) {
    Names all;
    for (const Key& k : keys()) all.insert(k.full());
    throw UsageError(fmt::format("--set: unknown key '{}'{}", printable(name),
                                 hint(name, all, " (write section.key=value, such as model.depth=64)")));
  }
  try {
    key->read(recipe, setting_value(setting.substr(setting.find('=') + 1)));
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("--set: {} {}", name, error.message()));
  }
  set.insert(name);
}

void resolve_form(ModelRecipe& m) {
  const nn::FormRow& form = nn::row(nn::form_named(m.form));
  const nn::Position stack{.layers = m.layer_count(), .sublayers = m.layer_count()};
  if (m.gate.empty() && (form.gated() || form.join == nn::Join::highway)) m.gate = {form.gate_start.at(stack)};
  if (m.gate_shape.empty() && form.gated()) m.gate_shape = form.gate == nn::GateShape::vector ? "vector" : "scalar";
  if (m.norm.empty() && m.is_resnet()) m.norm = form.scalar_biases ? "none" : "batch";
  if (m.norm.empty() && form.has_norm()) m.norm = "layer_norm";
  if (m.branch.empty() && m.is_fc()) m.branch = nn::name(nn::default_branch(form.form));
}

// What optimizer.base_depth says of the layers.
void resolve_depth_scaling(Recipe& r, std::string_view file) {
  r.optimizer.layers = {};
  if (!r.base_depth) return;
  const auto fail = [&](std::string_view reason) {
    throw UsageError(fmt::format("{}: optimizer.base_depth scales the rate and eps of x + k L^-p F(x) with depth, {}",
                                 file, reason));
  };
  if (nn::form_named(r.model.form) != nn::Form::branch_scale)
    fail(fmt::format("but model.form is {} (leave it out, or take branch_scale)", r.model.form));
  if (!r.optimizer.eps)
    fail(fmt::format(
        "but {} has no eps (leave it out, or take a rule that divides by the gradient's size, such as adam)",
        r.optimizer.name));
  const nn::DepthScaling scaling = nn::depth_scaling(r.model.layer_count(), *r.base_depth,
                                                     r.model.branch_p.value_or(nn::ResidualOptions().branch_p));
  const std::string_view prefix = r.model.is_fc()                        ? nn::FullyConnected::layer_prefix
                                  : r.model.family == "cnn"              ? nn::Cnn::layer_prefix
                                  : r.model.family == "char_transformer" ? "transformer_encoder.layers."
                                                                         : "layers.";
  r.optimizer.layers = {std::string(prefix), scaling.rate_factor, scaling.eps_factor};
}

// Behind a gate of 0 that stays there a branch gets no gradient, so that nothing between input and output would move.
void check_gates_move(const Recipe& r, std::string_view file) {
  const bool closed = nn::row(nn::form_named(r.model.form)).gated() &&
                      std::ranges::all_of(r.model.gate, [](double gate) { return gate == 0; });
  const bool rate_is_zero = r.optimizer.role(Role::residual_weight).rate_factor == 0;
  if (!closed || (r.model.train_gates && !rate_is_zero)) return;
  throw UsageError(fmt::format(
      "{}: all gates start at 0 and stay there ({}), so that no layer can learn (set "
      "model.gate to another number)",
      file, r.model.train_gates ? "optimizer.residual_weight.rate_factor is 0" : "model.train_gates is false"));
}

// A key of another data set is refused, unless its value is the default, which does no harm.
void check_data_keys(const Recipe& recipe, const Names& set, std::string_view file) {
  for (const std::string& name : set) {
    const Key& key = *find_key(name);
    if (key.datasets.empty() || std::ranges::find(key.datasets, recipe.data.name) != key.datasets.end()) continue;
    Recipe given = recipe, untouched;
    given.data.name = untouched.data.name = key.datasets.front();
    if (key.write(given) != key.write(untouched))
      throw UsageError(fmt::format("{}: {} belongs to the data set {}, but data.name is {}", file, name,
                                   fmt::join(key.datasets, " or "), recipe.data.name));
  }
}

// The same of a key of another family of models.
void check_model_keys(const Recipe& recipe, const Names& set, std::string_view file) {
  for (const std::string& name : set) {
    const Key& key = *find_key(name);
    if (key.families.empty() || std::ranges::count(key.families, recipe.model.family) > 0) continue;
    Recipe given = recipe, untouched;
    given.model.family = untouched.model.family = key.families.front();
    if (key.write(given) != key.write(untouched))
      throw UsageError(fmt::format("{}: {} belongs to the family {}, but model.family is {}", file, name,
                                   fmt::join(key.families, ", "), recipe.model.family));
  }
}

template <class Rows>
auto row_named(const Rows& rows, const std::string& name) {
  return *std::ranges::find_if(rows, [&](const auto& row) { return row.name == name; });
}

// When --set chooses another form, optimiser or schedule, what the file says of the keys of its own is forgotten where
// it says no more than their defaults, as the recipe.toml of a run does.
void forget_defaults(Recipe& recipe, const Recipe& file, const Names& set_by_file,
                     std::span<const std::string> settings) {
  Recipe plain;
  plain.optimizer = row_named(optim::optimizer_rules(), file.optimizer.name);
  plain.schedule = row_named(optim::schedule_rows(), file.schedule.name);
  plain.model.form = file.model.form;
  plain.model.family = file.model.family;
  plain.model.depth = file.model.depth;
  plain.model.layers = file.model.layers;
  resolve_form(plain.model);
  for (const Key& key : keys()) {
    if (!key.forget || !set_by_file.contains(key.full()) || is_set(settings, key.full())) continue;
    const bool changed = key.section == "schedule" ? recipe.schedule.name != file.schedule.name
                         : key.section == "model"  ? recipe.model.form != file.model.form ||
                                                        recipe.model.layer_count() != file.model.layer_count()
                                                  : recipe.optimizer.name != file.optimizer.name;
    if (changed && key.write(file) == key.write(plain)) key.forget(recipe);
  }
}

void default_sizes(DataRecipe& data, std::int64_t train, std::int64_t validation) {
  if (data.train_size == 0) data.train_size = train;
  if (data.validation_size == 0) data.validation_size = validation;
}

// Models of tokens have data sets of their own that need no files.
void resolve_data(Recipe& r, const Names& set) {
  if (!set.contains("data.name") && r.model.takes_tokens())
    r.data.name = r.model.family == "seq2seq" ? "reverse" : "sources";
  if (r.data.name == "shapes") default_sizes(r.data, ShapesOptions().train, ShapesOptions().validation);
  if (r.data.name == "reverse") default_sizes(r.data, ReverseOptions().train, ReverseOptions().validation);
}

// Of the model, from what is known of the data.
void resolve_sizes(ModelRecipe& m, const DataRecipe& data, const DatasetDescription& known) {
  if (m.takes_numbers() && m.inputs.empty() && known.known())
    m.inputs.assign(known.image_shape.extents().begin(), known.image_shape.extents().end());
  if (m.takes_tokens() && m.context == 0 && known.is_text)
    m.context = data.name == "reverse" ? data.reverse.length : data.text.context;
  if (m.outputs == 0 && m.takes_tokens() == known.is_text) m.outputs = known.classes;
}

// What of the images is known before they are open; model.h looks again at those of npy.
void check_described_images(const DataRecipe& data, const DatasetDescription& known, std::string_view file) {
  checked_usage(file, [&] {
    normalisation_named(data.normalisation, data.name, known.image_shape);
    if (known.known() && !known.is_text) check_augmentation(data.augment, data.name, known.image_shape);
  });
}

// What the published networks leave no choice of.
void check_resnet(const ModelRecipe& m, const std::function<void(std::string_view)>& fail) {
  const bool of_resnet = m.norm == "batch" || m.norm == "none";
  if (!m.is_resnet()) {
    if (of_resnet)
      fail(fmt::format("model.norm is {}, but model.family is {} (it belongs to ResNets)", m.norm, m.family));
    if (m.family == "cnn" && m.dropout != 0) fail("model.dropout is set, but the family cnn has none (leave it out)");
    return;
  }
  if (!of_resnet) fail(fmt::format("model.norm is {}, but ResNets have batch or none", m.norm));
  if (m.activation != "relu") fail(fmt::format("model.activation is {}, but ResNets have relu", m.activation));
  if (m.init != "authors") fail(fmt::format("model.init is {}, but ResNets start as published (leave it out)", m.init));
  if (m.dropout != 0) fail("model.dropout is set, but ResNets have none (leave it out)");
}

// Fills in what follows from other keys, and checks them together.
void resolve(Recipe& r, const Names& set, std::string_view file) {
  const auto fail = [&](std::string_view message) { throw UsageError(fmt::format("{}: {}", file, message)); };
  resolve_data(r, set);
  const DatasetDescription data = checked_usage(file, [&] { return describe_dataset(dataset_options(r)); });
  if (r.model.is_resnet() && !set.contains("model.layers")) r.model.layers = r.model.family == "resnet" ? 20 : 18;
  if (r.model.family == "cnn" && r.model.init == "authors") r.model.init = "delta_orthogonal";
  resolve_sizes(r.model, r.data, data);
  resolve_form(r.model);
  check_resnet(r.model, fail);
  if (r.model.negative_slope && r.model.activation != "leaky_relu")
    fail(fmt::format("model.negative_slope is set, but model.activation is {} (only leaky_relu has a slope)",
                     r.model.activation));
  check_data_keys(r, set, file);
  check_described_images(r.data, data, file);
  check_model_keys(r, set, file);
  if (!set.contains("train.epochs")) r.train.epochs = r.train.steps > 0 ? 0 : 10;
  if (r.train.epochs == 0 && r.train.steps == 0) fail("train.epochs and train.steps are both 0 (set one of them)");
  if (r.train.micro_batches > r.train.batch_size)
    fail(fmt::format("train.micro_batches is {}, but train.batch_size is {} (each part needs an example)",
                     r.train.micro_batches, r.train.batch_size));
  if (r.train.micro_batches > 1 && r.model.dropout > 0)
    fail("train.micro_batches and model.dropout are both set (every part of a batch would get the same masks)");
  checked_usage(file, [&] { r.optimizer = optim::resolved(r.optimizer); });
  resolve_depth_scaling(r, file);
  check_gates_move(r, file);
  checked_usage(file, [&] { r.schedule = optim::resolved(r.schedule); });
  if (r.train.ema > 0) checked_usage(file, [&] { optim::Ema(r.train.ema); });
}

}  // namespace

Recipe parse_recipe(std::string_view text, std::string_view file_name, std::span<const std::string> settings) {
  Recipe recipe;
  Names set;
  try {
    read_section(toml::parse(text), "", file_name, recipe, set);
  } catch (const toml::parse_error& error) {
    const std::string_view hint = error.description().find("could not determine") != std::string_view::npos
                                      ? " (text needs quotes: form = \"rezero\")"
                                      : "";
    throw UsageError(fmt::format("{}: {}{}", place(file_name, error.source()), printable(error.description()), hint));
  }
  const Recipe file = recipe;
  const Names set_by_file = set;
  for (const std::string& setting : settings) apply_setting(setting, recipe, set);
  forget_defaults(recipe, file, set_by_file, settings);
  resolve(recipe, set, file_name);
  return recipe;
}

Recipe load_recipe(std::string_view path, std::span<const std::string> settings) {
  return parse_recipe(read_file(path), path, settings);
}

DatasetOptions dataset_options(const Recipe& recipe) {
  const DataRecipe& data = recipe.data;
  DatasetOptions options{data.name, data.path,   data.shapes, data.labels, data.label_column, recipe.model.outputs,
                         data.text, data.reverse};
  options.shapes.train = options.reverse.train = data.train_size;
  options.shapes.validation = options.reverse.validation = data.validation_size;
  return options;
}

Normalisation normalisation_of(const Recipe& recipe) {
  return normalisation_named(recipe.data.normalisation, recipe.data.name);
}

std::string_view precision_text(const TrainRecipe& train) {
  return train.precision == DType::f64 ? name(train.precision) : name(train.products);
}

std::string to_toml(const Recipe& recipe) {
  std::string out, section;
  for (const Key& key : keys()) {
    const std::string value = key.write(recipe);
    if (value.empty()) continue;
    if (key.section != section) out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", key.section);
    section = key.section;
    out += fmt::format("{} = {}\n", key.name, value);
  }
  return out;
}

std::vector<std::string> recipe_keys() {
  std::vector<std::string> names;
  for (const Key& key : keys()) names.push_back(key.full());
  return names;
}

std::vector<std::string> differing_keys(const Recipe& a, const Recipe& b) {
  std::vector<std::string> names;
  for (const Key& key : keys())
    if (key.write(a) != key.write(b)) names.push_back(key.full());
  return names;
}

bool is_set(std::span<const std::string> settings, std::string_view key) {
  return std::ranges::any_of(settings, [&](const std::string& setting) { return setting_key(setting) == key; });
}

}  // namespace rz::tool
