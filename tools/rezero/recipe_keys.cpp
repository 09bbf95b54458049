#include "tools/rezero/recipe_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "autograd/parameter.h"
#include "core/scalar_functions.h"
#include "data/normalisation.h"
#include "nn/forms.h"
#include "nn/init.h"
#include "nn/models/fully_connected.h"
#include "nn/norm.h"
#include "tools/rezero/recipe_key_kinds.h"
#include "tools/rezero/size.h"

namespace rz::tool {
namespace {

bool has_gates(const Recipe& r) { return nn::row(nn::form_named(r.model.form)).gated(); }
bool is_mean_field(const Recipe& r) { return r.model.init == "mean_field"; }

Key of_fc(Key inner) { return of_families({"fc"}, std::move(inner)); }
Key of_numbers(Key inner) { return of_families({"fc", "cnn", "resnet", "preact_resnet"}, std::move(inner)); }
Key of_deep(Key inner) { return of_families({"fc", "cnn"}, std::move(inner)); }
Key of_transformers(Key inner) {
  return of_families({"encoder", "decoder", "char_transformer", "seq2seq"}, std::move(inner));
}
Key of_tokens(Key inner) { return of_families({"char_transformer", "seq2seq"}, std::move(inner)); }
Key of_shapes(Key inner) { return of_datasets({"shapes"}, std::move(inner)); }
Key of_images(Key inner) {
  return of_datasets({"shapes", "cifar10", "cifar100", "mnist", "fashion_mnist", "npy"}, std::move(inner));
}
Key of_texts(Key inner) { return of_datasets({"text", "enwik8", "text8", "sources"}, std::move(inner)); }

// data.label_column: a name, or an index from 0.
Key label_column() {
  return key(
      "data.label_column",
      [](Recipe& r, const Value& v) {
        r.data.label_column = {};
        if (v.kind == Value::integer && v.whole >= 0 && v.whole <= million) {
          r.data.label_column.index = v.whole;
        } else if (v.kind == Value::string && !v.text.empty()) {
          r.data.label_column.name = v.text;
        } else {
          refuse(v, "a column's name, or its index from 0");
        }
      },
      [](const Recipe& r) {
        const CsvColumn& column = r.data.label_column;
        return !column.name.empty() ? toml_string(column.name) : column.index >= 0 ? std::to_string(column.index) : "";
      });
}

// data.crop_fill: what lies around an image that is cropped.
Key crop_fill() {
  return key(
      "data.crop_fill",
      [](Recipe& r, const Value& v) {
        constexpr std::string_view words[] = {"zero", "reflect"};
        r.data.augment.crop_fill = word_of(v, words) == "zero" ? CropFill::zero : CropFill::reflect;
      },
      [](const Recipe& r) { return toml_string(r.data.augment.crop_fill == CropFill::zero ? "zero" : "reflect"); });
}

std::vector<std::string_view> form_names() {
  std::vector<std::string_view> names;
  for (const nn::FormRow& row : nn::forms()) names.push_back(row.name);
  return names;
}
std::vector<std::string_view> activation_names() {
  std::vector<std::string_view> names;
  for (const ScalarFunction f : activations()) names.push_back(info(f).name);
  return names;
}
std::vector<std::string_view> init_names() {
  std::vector<std::string_view> names{"authors", "mean_field"};
  names.insert(names.end(), nn::init::names().begin(), nn::init::names().end());
  return names;
}
std::vector<std::string_view> data_names() {
  std::vector<std::string_view> names;
  for (const DatasetDescription& data : dataset_list()) names.push_back(data.name);
  return names;
}
std::vector<std::string_view> copy(std::span<const std::string_view> names) { return {names.begin(), names.end()}; }

std::vector<std::string_view> norm_names() {
  std::vector<std::string_view> names = copy(nn::norm_kinds());
  names.insert(names.end(), {"batch", "none"});
  return names;
}

#define RZ_FIELD(member) [](Recipe& r) -> auto& { return r.member; }

void add_model(std::vector<Key>& list) {
  list.push_back(word("model.family", RZ_FIELD(model.family), model_families()));
  list.push_back(word("model.form", RZ_FIELD(model.form), form_names()));
  list.push_back(of_deep(integer("model.depth", RZ_FIELD(model.depth), 1, million)));
  list.push_back(of_deep(integer("model.width", RZ_FIELD(model.width), 1, million)));
  list.push_back(of_families({"resnet", "preact_resnet", "encoder", "decoder", "char_transformer", "seq2seq"},
                             integer("model.layers", RZ_FIELD(model.layers), 1, million)));
  list.push_back(of_transformers(integer("model.d_model", RZ_FIELD(model.d_model), 1, million)));
  list.push_back(of_transformers(integer("model.heads", RZ_FIELD(model.heads), 1, million)));
  list.push_back(of_transformers(integer("model.feed_forward", RZ_FIELD(model.feed_forward), 1, million)));
  list.push_back(of_transformers(unless_zero(integer("model.context", RZ_FIELD(model.context), 0, million))));
  list.push_back(of_tokens(word("model.positions", RZ_FIELD(model.positions), {"sinusoidal", "learned"})));
  list.push_back(of_tokens(boolean("model.tie_weights", RZ_FIELD(model.tie_weights))));
  list.push_back(of_transformers(boolean("model.final_norm", RZ_FIELD(model.final_norm))));
  list.push_back(word("model.activation", RZ_FIELD(model.activation), activation_names()));
  list.push_back(optional_real("model.negative_slope", RZ_FIELD(model.negative_slope), -infinity));
  list.push_back(of_form(of_fc(optional_word("model.branch", RZ_FIELD(model.branch),
                                             {name(nn::Branch::activation_last), name(nn::Branch::activation_first)})),
                         RZ_FIELD(model.branch)));
  list.push_back(of_form(per_layer("model.gate", RZ_FIELD(model.gate)), RZ_FIELD(model.gate)));
  list.push_back(of_form(optional_word("model.gate_shape", RZ_FIELD(model.gate_shape), {"scalar", "vector"}),
                         RZ_FIELD(model.gate_shape)));
  list.push_back(
      only_if(of_transformers(word("model.gates", RZ_FIELD(model.gates), {"layer", "sublayer"})), has_gates));
  list.push_back(only_if(boolean("model.train_gates", RZ_FIELD(model.train_gates)), has_gates));
  list.push_back(of_form(optional_word("model.norm", RZ_FIELD(model.norm), norm_names()), RZ_FIELD(model.norm)));
  list.push_back(optional_real("model.norm_gain", RZ_FIELD(model.norm_gain), -infinity));
  list.push_back(optional_real("model.branch_k", RZ_FIELD(model.branch_k), -infinity));
  list.push_back(optional_real("model.branch_p", RZ_FIELD(model.branch_p), -infinity));
  list.push_back(per_layer("model.skip", RZ_FIELD(model.skip)));
  list.push_back(per_layer("model.injection", RZ_FIELD(model.injection)));
  list.push_back(real("model.dropout", RZ_FIELD(model.dropout), 0, 1));
  list.push_back(word("model.init", RZ_FIELD(model.init), init_names()));
  list.push_back(
      only_if(of_fc(word("model.weights", RZ_FIELD(model.weights), {"gaussian", "orthogonal"})), is_mean_field));
  list.push_back(optional_real("model.sigma_w", RZ_FIELD(model.sigma_w), 0));
  list.push_back(of_deep(optional_real("model.sigma_b", RZ_FIELD(model.sigma_b), 0)));
  list.push_back(of_numbers(key(
      "model.inputs",
      [](Recipe& r, const Value& v) {
        r.model.inputs.clear();
        if (v.kind != Value::list) r.model.inputs = {integer_in(v, 1, million)};
        if (v.items.size() > 5) refuse(v, "an integer, or a shape of at most 5 extents");
        std::int64_t elements = 1;
        for (const Value& item : v.items) {
          r.model.inputs.push_back(integer_in(item, 1, million));
          elements *= item.whole;
          if (elements > million) refuse(v, "a shape of at most 1,000,000 elements");
        }
        if (r.model.inputs.empty()) refuse(v, "an integer, or a shape such as [3, 32, 32]");
      },
      [](const Recipe& r) {
        const std::vector<std::int64_t>& inputs = r.model.inputs;
        return inputs.empty()       ? ""
               : inputs.size() == 1 ? std::to_string(inputs[0])
                                    : fmt::format("[{}]", fmt::join(inputs, ", "));
      })));
  list.push_back(
      of_families({"fc", "cnn", "resnet", "preact_resnet", "char_transformer", "seq2seq"},
                  key(
                      "model.outputs", [](Recipe& r, const Value& v) { r.model.outputs = integer_in(v, 1, million); },
                      [](const Recipe& r) { return r.model.outputs == 0 ? "" : std::to_string(r.model.outputs); })));
}

void add_data(std::vector<Key>& list) {
  list.push_back(word("data.name", RZ_FIELD(data.name), data_names()));
  list.push_back(key(
      "data.path", [](Recipe& r, const Value& v) { r.data.path = text_of(v); },
      [](const Recipe& r) { return r.data.path.empty() ? "" : toml_string(r.data.path); }));
  list.push_back(unless_zero(integer("data.train_size", RZ_FIELD(data.train_size), 0, 1000 * million)));
  list.push_back(unless_zero(integer("data.validation_size", RZ_FIELD(data.validation_size), 0, 1000 * million)));
  list.push_back(of_datasets({"cifar100"}, word("data.labels", RZ_FIELD(data.labels), {"fine", "coarse"})));
  list.push_back(of_datasets({"csv"}, label_column()));
  list.push_back(of_images(word("data.normalisation", RZ_FIELD(data.normalisation), copy(normalisation_names()))));
  list.push_back(of_images(boolean("data.flip", RZ_FIELD(data.augment.flip))));
  list.push_back(of_images(integer("data.crop_padding", RZ_FIELD(data.augment.crop_padding), 0, million)));
  list.push_back(of_images(crop_fill()));
  list.push_back(of_images(integer("data.cutout", RZ_FIELD(data.augment.cutout), 0, million)));
  list.push_back(of_datasets({"text"}, word("data.level", RZ_FIELD(data.text.level), {"byte", "word"})));
  list.push_back(of_texts(integer("data.context", RZ_FIELD(data.text.context), 1, million)));
  list.push_back(of_texts(unless_zero(integer("data.stride", RZ_FIELD(data.text.stride), 0, million))));
  list.push_back(of_datasets({"reverse"}, integer("data.length", RZ_FIELD(data.reverse.length), 1, million)));
  list.push_back(of_datasets({"reverse"}, integer("data.symbols", RZ_FIELD(data.reverse.symbols), 1, million)));
  list.push_back(
      of_datasets({"shapes", "reverse"}, key(
                                             "data.seed",
                                             [](Recipe& r, const Value& v) {
                                               r.data.shapes.seed = r.data.reverse.seed =
                                                   static_cast<std::uint64_t>(integer_in(v, 0, no_end));
                                             },
                                             [](const Recipe& r) { return std::to_string(r.data.shapes.seed); })));
  list.push_back(of_shapes(real("data.position", RZ_FIELD(data.shapes.position), 0)));
  list.push_back(of_shapes(real("data.scale_low", RZ_FIELD(data.shapes.scale_low), 0)));
  list.push_back(of_shapes(real("data.scale_high", RZ_FIELD(data.shapes.scale_high), 0)));
  list.push_back(of_shapes(real("data.rotation", RZ_FIELD(data.shapes.rotation), 0)));
  list.push_back(of_shapes(real("data.contrast", RZ_FIELD(data.shapes.contrast), 0)));
  list.push_back(of_shapes(real("data.background", RZ_FIELD(data.shapes.background), 0)));
  list.push_back(of_shapes(real("data.noise", RZ_FIELD(data.shapes.noise), 0)));
}

void add_optimizer(std::vector<Key>& list) {
  list.push_back(word("optimizer.name", RZ_FIELD(optimizer.name), copy(optim::optimizer_names())));
  list.push_back(optional_real("optimizer.learning_rate", RZ_FIELD(optimizer.learning_rate), 0));
  list.push_back(optional_real("optimizer.weight_decay", RZ_FIELD(optimizer.weight_decay), 0));
  list.push_back(some_real("optimizer.momentum", RZ_FIELD(optimizer.momentum), 0));
  list.push_back(some_flag("optimizer.nesterov", RZ_FIELD(optimizer.nesterov)));
  list.push_back(some_real("optimizer.alpha", RZ_FIELD(optimizer.alpha), 0, 1));
  list.push_back(some_real("optimizer.beta1", RZ_FIELD(optimizer.beta1), 0, 1));
  list.push_back(some_real("optimizer.beta2", RZ_FIELD(optimizer.beta2), 0, 1));
  list.push_back(some_real("optimizer.eps", RZ_FIELD(optimizer.eps), 0));
  list.push_back(some_flag("optimizer.bias_correction", RZ_FIELD(optimizer.bias_correction)));
  list.push_back(some_real("optimizer.fallback_learning_rate", RZ_FIELD(optimizer.fallback_learning_rate), 0));
  list.push_back(some_integer("optimizer.base_depth", RZ_FIELD(base_depth)));
  list.push_back(real("optimizer.clip_norm", RZ_FIELD(optimizer.clip_norm), 0));
  for (const Role role : all_roles) {
    const std::string section = "optimizer." + std::string(name(role));
    list.push_back(
        real(section + ".rate_factor", [role](Recipe& r) -> double& { return r.optimizer.role(role).rate_factor; }, 0));
    list.push_back(optional_real(
        section + ".weight_decay", [role](Recipe& r) -> auto& { return r.optimizer.role(role).weight_decay; }, 0));
    list.push_back(
        some_flag(section + ".trust_ratio", [role](Recipe& r) -> auto& { return r.optimizer.role(role).trust_ratio; }));
  }
}

void add_schedule(std::vector<Key>& list) {
  list.push_back(word("schedule.name", RZ_FIELD(schedule.name), copy(optim::schedule_names())));
  list.push_back(some_real("schedule.warmup_fraction", RZ_FIELD(schedule.warmup_fraction), 0, 1));
  list.push_back(some_real("schedule.start_divisor", RZ_FIELD(schedule.start_divisor), 0, infinity, true));
  list.push_back(some_real("schedule.final_divisor", RZ_FIELD(schedule.final_divisor), 0, infinity, true));
  list.push_back(some_integer("schedule.step_size", RZ_FIELD(schedule.step_size)));
  const Field<std::optional<std::vector<std::int64_t>>> milestones = RZ_FIELD(schedule.milestones);
  list.push_back(of_some(key(
                             "schedule.milestones",
                             [=](Recipe& r, const Value& v) {
                               if (v.kind != Value::list || v.items.empty())
                                 refuse(v, "a list of steps, such as [1000, 2000]");
                               milestones(r).emplace();
                               for (const Value& item : v.items)
                                 milestones(r)->push_back(integer_in(item, 1, million * million));
                             },
                             [=](const Recipe& r) {
                               return get(milestones, r) ? fmt::format("[{}]", fmt::join(*get(milestones, r), ", "))
                                                         : "";
                             }),
                         milestones));
  list.push_back(some_real("schedule.gamma", RZ_FIELD(schedule.gamma), 0, infinity, true));
  list.push_back(some_integer("schedule.warmup_steps", RZ_FIELD(schedule.warmup_steps)));
  const Field<std::optional<std::string>> after = RZ_FIELD(schedule.after);
  list.push_back(
      of_some(key(
                  "schedule.after", [=](Recipe& r, const Value& v) { after(r) = word_of(v, optim::after_names()); },
                  [=](const Recipe& r) { return get(after, r) ? toml_string(*get(after, r)) : ""; }),
              after));
  list.push_back(some_real("schedule.final_fraction", RZ_FIELD(schedule.final_fraction), 0, 1));
}

void add_train(std::vector<Key>& list) {
  list.push_back(unless_zero(integer("train.epochs", RZ_FIELD(train.epochs), 0, 1000 * million)));
  list.push_back(unless_zero(integer("train.steps", RZ_FIELD(train.steps), 0, million * million)));
  list.push_back(integer("train.batch_size", RZ_FIELD(train.batch_size), 1, million));
  list.push_back(
      of_families({"cnn", "resnet", "preact_resnet"},
                  key(
                      "train.memory",
                      [](Recipe& r, const Value& v) {
                        r.train.memory = text_of(v);
                        if (!r.train.memory.empty()) parse_size(r.train.memory, "is wrong");
                      },
                      [](const Recipe& r) { return r.train.memory.empty() ? "" : toml_string(r.train.memory); })));
  list.push_back(integer("train.micro_batches", RZ_FIELD(train.micro_batches), 1, million));
  list.push_back(integer("train.seed", RZ_FIELD(train.seed), 0));
  list.push_back(integer("train.threads", RZ_FIELD(train.threads), 0, 1024));
  list.push_back(word("train.device", RZ_FIELD(train.device), {"cpu"}));
  list.push_back(key(
      "train.precision",
      [](Recipe& r, const Value& v) {
        constexpr std::string_view words[] = {"f32", "f64", "high", "bf16"};
        const std::string word = word_of(v, words);
        r.train.precision = word == "f64" ? DType::f64 : DType::f32;
        r.train.products = word == "high"   ? ProductPrecision::high
                           : word == "bf16" ? ProductPrecision::bf16
                           : word == "f64"  ? ProductPrecision::plain
                                            : ProductPrecision::f32;
      },
      [](const Recipe& r) { return toml_string(precision_text(r.train)); }));
  list.push_back(real("train.label_smoothing", RZ_FIELD(train.label_smoothing), 0, 1));
  list.push_back(real("train.ema", RZ_FIELD(train.ema), 0, 1));
  list.push_back(integer("train.log_every", RZ_FIELD(train.log_every), 1, 1000 * million));
  list.push_back(boolean("train.monitor", RZ_FIELD(train.monitor)));

  list.push_back(unless_zero(integer("checkpoint.every", RZ_FIELD(checkpoint.every), 0, million * million)));
  list.push_back(key(
      "checkpoint.keep",
      [](Recipe& r, const Value& v) {
        const bool all = v.kind == Value::string && v.text == "all";
        if (v.kind != Value::integer && !all) refuse(v, "an integer of at least 1, or \"all\"");
        r.checkpoint.keep = all ? CheckpointRecipe::all : integer_in(v, 1, no_end);
      },
      [](const Recipe& r) {
        return r.checkpoint.keep == CheckpointRecipe::all ? "\"all\"" : std::to_string(r.checkpoint.keep);
      }));
}
#undef RZ_FIELD

}  // namespace

std::vector<std::string_view> model_families() {
  return {"fc", "cnn", "resnet", "preact_resnet", "encoder", "decoder", "char_transformer", "seq2seq"};
}

std::span<const Key> keys() {
  static const std::vector<Key> table = [] {
    std::vector<Key> list;
    add_model(list);
    add_data(list);
    add_optimizer(list);
    add_schedule(list);
    add_train(list);
    return list;
  }();
  return table;
}

const Key* find_key(std::string_view full) {
  const auto found = std::ranges::find_if(keys(), [&](const Key& k) { return k.full() == full; });
  return found == keys().end() ? nullptr : &*found;
}

}  // namespace rz::tool
