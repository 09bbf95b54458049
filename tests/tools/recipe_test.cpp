// Recipes: reading, checking, --set, and writing.
#include "tools/rezero/recipe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "support/close.h"
#include "tools/rezero/command.h"
#include "tools/rezero/model.h"

using namespace rz;
using namespace rz::test;
using tool::parse_recipe;
using tool::Recipe;

namespace {

std::string error_of(const std::string& text, const std::vector<std::string>& settings = {}) {
  try {
    parse_recipe(text, "r.toml", settings);
  } catch (const tool::UsageError& error) {
    CHECK(error.message().find('\n') == std::string::npos);
    return error.message();
  }
  return "";
}

Recipe with(const std::vector<std::string>& settings) { return parse_recipe("", "r.toml", settings); }

}  // namespace

TEST_CASE("recipe: an empty one has all defaults, and what follows from them is filled in") {
  const Recipe r = parse_recipe("", "r.toml");
  CHECK(r.model.form == "rezero");
  CHECK(r.model.inputs == std::vector<std::int64_t>{3, 32, 32});
  CHECK(r.model.outputs == 10);
  CHECK(r.model.gate == std::vector<double>{0});
  CHECK(r.data.train_size == 20000);
  CHECK(r.data.validation_size == 4000);
  CHECK(r.train.epochs == 10);
  CHECK(parse_recipe("[train]\nsteps = 5", "r.toml").train.epochs == 0);
  CHECK(with({"model.form=rezero_one"}).model.gate == std::vector<double>{1});
  CHECK(with({"model.form=deep"}).model.gate.empty());
}

TEST_CASE("recipe: numbers as people write them") {
  const Recipe r = parse_recipe(
      "[model]\ndepth = 1_000\n[optimizer]\nlearning_rate = 3e-4\nclip_norm = "
      "1\n[optimizer.residual_weight]\nrate_factor = 1_0.5\n",
      "r.toml");
  CHECK(r.model.depth == 1000);
  CHECK(r.optimizer.learning_rate == 3e-4);
  CHECK(r.optimizer.clip_norm == 1);
  CHECK(r.optimizer.role(Role::residual_weight).rate_factor == 10.5);
  CHECK(mentions(error_of("[model]\ndepth = 1e3"), {"r.toml:2:9", "model.depth", "1000", "integer from 1"}));
}

TEST_CASE("recipe: mistakes are named with place and advice") {
  CHECK(mentions(error_of("[model]\nwidht = 3"),
                 {"r.toml:2:1", "unknown key 'widht' in [model]", "did you mean 'width'"}));
  CHECK(mentions(error_of("[model]\nlearning_rate = 3"), {"r.toml:2:1", "learning_rate", "belongs in [optimizer]"}));
  CHECK(mentions(error_of("[modle]\ndepth = 3"), {"r.toml:1:", "section 'modle'", "did you mean 'model'"}));
  CHECK(mentions(error_of("depth = 3"), {"r.toml:1:1", "outside a section", "depth"}));
  CHECK(mentions(error_of("model = 3"), {"r.toml:1:1", "[model]"}));
  CHECK(mentions(error_of("[optimizer.wieght]\nrate_factor = 1"),
                 {"optimizer.wieght", "did you mean 'optimizer.weight'"}));
  CHECK(mentions(error_of("[model]\ndepth = \"deep\""),
                 {"r.toml:2:9", "model.depth is the string 'deep'", "must be an integer"}));
  CHECK(mentions(error_of("[model]\nwidth = -3"), {"r.toml:2:9", "model.width is -3", "from 1"}));
  CHECK(mentions(error_of("[model]\nform = \"rezerro\""), {"r.toml:2:8", "model.form", "did you mean 'rezero'"}));
  CHECK(mentions(error_of("[model]\nform = 3"), {"r.toml:2:8", "model.form is 3", "deep"}));
  CHECK(mentions(error_of("[model]\ndepth = 3\ndepth = 4"), {"r.toml:3:", "depth"}));
  CHECK(mentions(error_of("[model]\nform = rezero"), {"r.toml:2:"}));
  CHECK(mentions(error_of("[model\n"), {"r.toml:1:"}));
  CHECK(mentions(error_of("[model]\ngate = []"), {"r.toml:2:8", "model.gate"}));
  CHECK(mentions(error_of("[model]\ngate = [1, \"a\"]"), {"r.toml:2:8", "model.gate", "'a'"}));
  CHECK(mentions(error_of("[model]\ninputs = [3, 0]"), {"r.toml:2:10", "model.inputs"}));
  CHECK(mentions(error_of("[optimizer]\nlearning_rate = nan"), {"r.toml:2:17", "nan"}));
  CHECK(mentions(error_of("[optimizer]\nnesterov = 1"), {"r.toml:2:12", "true or false"}));
  CHECK(mentions(error_of("[optimizer]\nname = \"sgd\"\nnesterov = true"), {"r.toml", "momentum"}));
  CHECK(mentions(error_of("[schedule]\nwarmup_fraction = 2"), {"r.toml:2:19", "0 to 1"}));
  CHECK(mentions(error_of("[checkpoint]\nkeep = \"some\""), {"r.toml:2:8", "some", "all"}));
  CHECK(mentions(error_of("[train]\nepochs = 0"), {"train.epochs", "train.steps"}));
  CHECK(mentions(error_of("[data]\nname = \"cifar10\"\nnoise = 0.1"), {"data.noise", "shapes"}));
  CHECK(mentions(error_of("[model]\ntrain_gates = false"), {"all gates start at 0", "model.train_gates is false"}));
  CHECK(mentions(error_of("[model]\ngate = 0\n[optimizer.residual_weight]\nrate_factor = 0"),
                 {"optimizer.residual_weight.rate_factor is 0", "no layer can learn"}));
  CHECK(error_of("[model]\ndepth = 2\ngate = [0, 1]\ntrain_gates = false").empty());
  CHECK(error_of(tool::to_toml(with({})), {"data.name=cifar10"}).empty());  // the defaults of shapes are in the text
  CHECK(mentions(error_of("[model]\nnegative_slope = 0.2"), {"negative_slope", "leaky_relu"}));
  CHECK(mentions(error_of("[data]\nname = 1979-05-27"), {"r.toml:2:8", "data.name"}));
  CHECK(mentions(error_of("[model]\nform = rezero"), {"r.toml:2:8", "text needs quotes"}));
  CHECK(mentions(error_of("[optimizer]\nnesterov = fal\n"), {"r.toml:2", "\\x0a"}));  // the parser quotes the line feed
}

TEST_CASE("recipe: base_depth scales rate and eps of the layers as CompleteP does") {
  const auto scaled = [](std::vector<std::string> more) {
    std::vector<std::string> settings{"model.form=branch_scale", "optimizer.name=adam"};
    settings.insert(settings.end(), more.begin(), more.end());
    return with(settings);
  };
  const Recipe one = scaled({"model.depth=64", "optimizer.base_depth=16", "model.branch_p=1"});
  CHECK(one.optimizer.layers.prefix == "linear_layers.");
  CHECK(one.optimizer.layers.rate_factor == 1);    // 4^0
  CHECK(one.optimizer.layers.eps_factor == 0.25);  // 4^-1
  const Recipe half = scaled({"model.depth=64", "optimizer.base_depth=16"});
  CHECK(half.optimizer.layers.rate_factor == 0.5);  // 4^(-1/2), the form's p
  CHECK(half.optimizer.layers.eps_factor == 0.5);
  const Recipe same = scaled({"model.depth=16", "optimizer.base_depth=16"});
  CHECK(same.optimizer.layers.rate_factor == 1);
  CHECK(same.optimizer.layers.eps_factor == 1);
  const Recipe again = parse_recipe(tool::to_toml(half), "again.toml");
  CHECK(again.base_depth == 16);
  CHECK(again.optimizer.layers.rate_factor == 0.5);
  CHECK(scaled({}).optimizer.layers.prefix.empty());
  CHECK(tool::to_toml(scaled({})).find("base_depth") == std::string::npos);
  CHECK(mentions(error_of("", {"optimizer.base_depth=16"}), {"optimizer.base_depth", "model.form is rezero"}));
  CHECK(mentions(error_of("", {"model.form=branch_scale", "optimizer.base_depth=16", "optimizer.name=sgd"}),
                 {"optimizer.base_depth", "sgd has no eps"}));
  CHECK(mentions(error_of("", {"optimizer.base_depth=0"}), {"--set: optimizer.base_depth is 0", "from 1"}));
  const auto model = tool::declare_model(half);
  CHECK(mentions(tool::model_summary(half, *model),
                 {"base_depth 16", "in the layers rate x m^(p-1) = 0.5, eps x m^-p = 0.5 (m = 64/16, CompleteP)"}));
}

TEST_CASE("recipe: keys of single data sets, and sizes that only open files tell") {
  CHECK(with({"data.name=cifar100"}).model.outputs == 100);
  CHECK(with({"data.name=cifar100", "data.labels=coarse"}).model.outputs == 20);
  CHECK(with({"data.name=mnist"}).model.inputs == std::vector<std::int64_t>{1, 28, 28});
  CHECK(mentions(error_of("", {"data.labels=coarse"}), {"data.labels belongs to the data set cifar100", "shapes"}));
  CHECK(mentions(error_of("", {"data.name=cifar100", "data.labels=all"}), {"--set: data.labels", "fine, coarse"}));
  CHECK(mentions(error_of("", {"data.name=npy", "data.label_column=3"}), {"data.label_column belongs to", "csv"}));
  CHECK(mentions(error_of("", {"data.name=npy", "data.seed=3"}), {"data.seed belongs to the data set shapes"}));
  CHECK(mentions(error_of("", {"data.name=csv", "data.label_column=-1"}), {"data.label_column is -1", "index from 0"}));
  CHECK(with({"data.name=csv", "data.label_column=y"}).data.label_column.name == "y");
  CHECK(with({"data.name=csv", "data.label_column=2"}).data.label_column.index == 2);
  const Recipe npy = with({"data.name=npy", "data.path=x"});
  CHECK(npy.model.inputs.empty());
  CHECK(npy.model.outputs == 0);
  CHECK(!tool::is_complete(npy));
  CHECK(tool::is_complete(with({"data.name=npy", "model.inputs=4", "model.outputs=3"})));
}

TEST_CASE("recipe: normalisation and augmentation of images") {
  const Recipe plain = with({"data.name=cifar10"});
  CHECK(!plain.data.augment.any());
  CHECK(tool::normalisation_of(plain).mean == std::array{0.5, 0.5, 0.5});
  CHECK(mentions(tool::to_toml(plain),
                 {"normalisation = \"notebook\"\nflip = false\ncrop_padding = 0\ncrop_fill = \"zero\"\ncutout = 0\n"}));
  const Recipe r = parse_recipe(
      "[data]\nname = \"cifar100\"\nnormalisation = \"dataset\"\nflip = true\ncrop_padding = 4\n"
      "crop_fill = \"reflect\"\ncutout = 8\n",
      "r.toml");
  CHECK((r.data.augment.flip && r.data.augment.crop_padding == 4 && r.data.augment.cutout == 8));
  CHECK(r.data.augment.crop_fill == CropFill::reflect);
  CHECK(tool::normalisation_of(r).mean == std::array{0.5071, 0.4865, 0.4409});
  CHECK(tool::normalisation_of(with({"data.normalisation=imagenet"})).std == std::array{0.229, 0.224, 0.225});
  CHECK(tool::normalisation_of(with({"data.name=mnist", "data.normalisation=dataset"})).std[0] == 0.3081);
  CHECK(tool::normalisation_of(with({"model.family=char_transformer"})).mean[0] == 0.5);

  const std::string images = "belongs to the data set shapes or cifar10 or cifar100 or mnist or fashion_mnist or npy";
  for (const char* setting : {"flip=true", "crop_padding=4", "crop_fill=reflect", "cutout=8", "normalisation=imagenet"})
    CHECK(mentions(error_of("", {"data.name=csv", std::string("data.") + setting}), {images, "data.name is csv"}));
  CHECK(mentions(error_of("", {"data.name=text8", "model.family=char_transformer", "data.flip=true"}),
                 {"data.flip " + images}));
  CHECK(error_of(tool::to_toml(plain), {"data.name=csv"}).empty());  // the defaults do no harm
  CHECK(mentions(error_of("", {"data.flip=1"}), {"data.flip is 1", "true or false"}));
  CHECK(mentions(error_of("", {"data.crop_fill=edge"}), {"data.crop_fill", "'edge'", "zero, reflect"}));
  CHECK(mentions(error_of("", {"data.cutout=-1"}), {"data.cutout is -1", "from 0"}));
  CHECK(mentions(error_of("", {"data.normalisation=none"}), {"data.normalisation", "'none'", "notebook"}));
  CHECK(mentions(error_of("", {"data.normalisation=dataset"}), {"r.toml: normalisation: shapes has no published"}));
  CHECK(mentions(error_of("", {"data.name=npy", "data.normalisation=dataset"}), {"npy has no published constants"}));
  CHECK(mentions(error_of("", {"data.name=mnist", "data.normalisation=imagenet"}), {"3 channels", "[1, 28, 28]"}));
  CHECK(mentions(error_of("", {"data.name=mnist", "data.crop_padding=28"}),
                 {"r.toml: augmentation: crop_padding is 28", "mnist are [1, 28, 28]", "0 to 27"}));
  CHECK(mentions(error_of("", {"data.cutout=33"}), {"a square of 33 pixels", "[3, 32, 32]"}));
}

TEST_CASE("recipe: --set is TOML, or a plain string when it is none") {
  CHECK(with({"model.form=deep"}).model.form == "deep");
  CHECK(with({"model.form=\"deep\""}).model.form == "deep");
  CHECK(with({"data.name=cifar10", "data.path=/a b/c=d"}).data.path == "/a b/c=d");
  CHECK(with({"model.depth = 5"}).model.depth == 5);
  CHECK(with({"model.depth=5", "model.depth=6"}).model.depth == 6);
  CHECK(with({"model.gate=[0.5, 1, -2]"}).model.gate == std::vector<double>{0.5, 1, -2});
  CHECK(with({"model.gate=0.25"}).model.gate == std::vector<double>{0.25});
  CHECK(with({"model.inputs=7"}).model.inputs == std::vector<std::int64_t>{7});
  CHECK(with({"checkpoint.keep=all"}).checkpoint.keep == tool::CheckpointRecipe::all);
  CHECK(mentions(error_of("", {"model.dept=5"}), {"--set", "model.dept", "did you mean 'model.depth'"}));
  CHECK(mentions(error_of("", {"depth=5"}), {"--set", "depth"}));
  CHECK(mentions(error_of("", {"model.depth"}), {"--set", "="}));
  CHECK(mentions(error_of("", {"model.depth=-5"}), {"--set", "model.depth is -5"}));
  CHECK(mentions(error_of("", {"model.depth=5\nwidth=3"}), {"--set", "model.depth is the string"}));
  CHECK(mentions(error_of("", {"data.path=\xff"}), {"--set", "UTF-8"}));
}

TEST_CASE("recipe: what is written reads back to the same recipe") {
  const std::vector<std::vector<std::string>> many{
      {},
      {"model.form=deep", "model.sigma_w=1.05", "model.init=orthogonal", "model.sigma_b=0.1"},
      {"model.form=rezero_one", "model.gate=[0.1,1e-300,-3]", "model.depth=3", "model.activation=leaky_relu",
       "model.negative_slope=-0.1"},
      {"data.name=cifar10", "data.path=/a \"b\"\\c\x7f/\t\xc3\xa9", "model.inputs=[3072]", "model.outputs=10"},
      {"data.name=npy", "data.path=x"},
      {"data.name=csv", "data.label_column=2", "model.outputs=3"},
      {"data.name=csv", "data.label_column=\"2\""},
      {"data.name=cifar100", "data.labels=coarse"},
      {"data.name=cifar10", "data.flip=true", "data.crop_padding=4", "data.crop_fill=reflect", "data.cutout=16",
       "data.normalisation=dataset"},
      {"optimizer.weight.weight_decay=1e-4", "optimizer.momentum=0.9", "optimizer.nesterov=true", "optimizer.name=sgd",
       "train.steps=7", "train.precision=f64", "checkpoint.keep=all", "optimizer.learning_rate=0.1"},
      {"train.precision=high"},
      {"train.precision=bf16"},
      {"train.epochs=3", "train.steps=9", "train.seed=9223372036854775807", "schedule.name=one_cycle",
       "checkpoint.keep=4"}};
  for (const auto& settings : many) {
    const Recipe r = with(settings);
    const std::string text = tool::to_toml(r);
    const Recipe again = parse_recipe(text, "again.toml");
    CHECK(tool::to_toml(again) == text);
    for (const char* left_out : {"\nsteps = 0", "\nepochs = 0", "\nevery = 0", "_size = 0"})
      CHECK(text.find(left_out) == std::string::npos);
    CHECK(tool::differing_keys(r, again).empty());
  }
  CHECK(tool::differing_keys(with({"model.depth=3"}), with({"model.depth=4", "train.seed=2"})) ==
        std::vector<std::string>{"model.depth", "train.seed"});
}

TEST_CASE("recipe: optimisers and schedules take their own keys, with their own defaults") {
  const Recipe adam = with({"optimizer.name=adam", "optimizer.beta2=0.99", "schedule.name=cosine"});
  CHECK(adam.optimizer.learning_rate == 1e-3);
  CHECK(adam.optimizer.beta1 == 0.9);
  CHECK(adam.optimizer.beta2 == 0.99);
  CHECK(adam.schedule.final_fraction == 0.0);
  const std::string text = tool::to_toml(adam);
  CHECK(mentions(text,
                 {"name = \"adam\"\nlearning_rate = 0.001\nweight_decay = 0\nbeta1 = 0.9\nbeta2 = 0.99\neps = 1e-08",
                  "[schedule]\nname = \"cosine\"\nfinal_fraction = 0\n"}));
  for (const char* absent : {"momentum", "nesterov", "alpha", "trust_ratio", "gamma", "warmup"})
    CHECK_MESSAGE(text.find(absent) == std::string::npos, absent);
  for (const std::string_view name : optim::optimizer_names()) {
    const Recipe r =
        with({"optimizer.name=" + std::string(name), "schedule.name=multi_step", "schedule.milestones=[3, 8]"});
    const Recipe again = parse_recipe(tool::to_toml(r), "again.toml");
    CHECK(tool::to_toml(again) == tool::to_toml(r));
  }
  const std::string no_minus_zero = tool::to_toml(with({"model.gate=-0.0", "optimizer.weight.weight_decay=-0e4"}));
  CHECK(tool::to_toml(parse_recipe(no_minus_zero, "again.toml")) == no_minus_zero);
  CHECK(mentions(tool::to_toml(with({"optimizer.name=lamb", "optimizer.bias.trust_ratio=true"})),
                 {"bias_correction = true", "[optimizer.weight]", "trust_ratio = true", "[optimizer.bias]",
                  "trust_ratio = true", "[optimizer.residual_weight]", "trust_ratio = false"}));
  CHECK(mentions(error_of("[optimizer]\nname = \"adam\"\nmomentum = 0.9"),
                 {"r.toml: optimizer.momentum belongs to sgd, rmsprop and muon, but optimizer.name is adam"}));
  CHECK(mentions(error_of("", {"optimizer.name=sgd", "optimizer.eps=0"}), {"optimizer.eps belongs to", "is sgd"}));
  CHECK(mentions(error_of("", {"optimizer.norm.trust_ratio=true"}), {"trust_ratio belongs to lamb", "is adagrad"}));
  CHECK(mentions(error_of("[schedule]\nwarmup_fraction = 0.1"),
                 {"r.toml: schedule.warmup_fraction belongs to one_cycle, but schedule.name is constant"}));
  CHECK(mentions(error_of("", {"schedule.name=step"}), {"step_size"}));
  CHECK(mentions(error_of("", {"schedule.name=multi_step", "schedule.milestones=[5, 3]"}), {"3 after 5", "ascending"}));
  CHECK(mentions(error_of("", {"schedule.name=multi_step", "schedule.milestones=5"}),
                 {"schedule.milestones is 5", "list"}));
  CHECK(
      mentions(error_of("", {"schedule.name=linear_warmup", "schedule.after=cosin"}), {"schedule.after", "'cosine'"}));
}

TEST_CASE("recipe: --set of another optimiser or schedule forgets the defaults of the file's own") {
  const std::string adagrad = tool::to_toml(with({"schedule.name=one_cycle"}));
  const Recipe r =
      parse_recipe(adagrad, "r.toml", std::vector<std::string>{"optimizer.name=adam", "schedule.name=constant"});
  CHECK(r.optimizer.eps == 1e-8);            // not Adagrad's
  CHECK(r.optimizer.learning_rate == 0.01);  // what every rule has stays
  const std::string sgd = tool::to_toml(with({"optimizer.name=sgd", "optimizer.momentum=0.9"}));
  CHECK(mentions(error_of(sgd, {"optimizer.name=adam"}), {"optimizer.momentum belongs to"}));
  CHECK(error_of(sgd, {"optimizer.name=rmsprop"}).empty());
}

TEST_CASE("recipe: averages and micro-batches") {
  CHECK(with({"train.ema=0.999"}).train.ema == 0.999);
  CHECK(with({"train.micro_batches=100"}).train.micro_batches == 100);
  CHECK(mentions(error_of("", {"train.ema=1"}), {"ema", "[0, 1)"}));
  CHECK(mentions(error_of("", {"train.micro_batches=0"}), {"train.micro_batches is 0"}));
  CHECK(mentions(error_of("", {"train.batch_size=4", "train.micro_batches=8"}),
                 {"train.micro_batches is 8, but train.batch_size is 4"}));
}

TEST_CASE("recipe: the recipes of the project") {
  const std::string folder = RZ_TEST_SOURCE_DIR "/../tools/recipes/";
  for (const std::string form : {"deep", "residual", "deep_layer_norm", "rezero"}) {
    std::string file = "fc64-" + form + ".toml";
    for (char& c : file)
      if (c == '_') c = '-';
    const Recipe r = tool::load_recipe(folder + file);
    CHECK(r.model.form == form);
    CHECK(r.model.depth == 64);
    CHECK(r.model.width == 256);
    CHECK(r.data.name == "cifar10");
    CHECK(r.train.epochs == 10);
    CHECK(r.train.batch_size == 100);
    CHECK(r.optimizer.name == "adagrad");
    CHECK(r.optimizer.learning_rate == 0.01);
  }
  CHECK(tool::load_recipe(folder + "quickstart.toml").data.name == "shapes");
}

TEST_CASE("recipe: those of the paper's table") {
  const std::string folder = RZ_TEST_SOURCE_DIR "/../tools/recipes/";
  const auto check = [&](const std::string& file, const char* family, const char* form, std::int64_t layers) {
    CAPTURE(file);
    const Recipe r = tool::load_recipe(folder + file + ".toml");
    CHECK(r.model.family == family);
    CHECK(r.model.form == form);
    CHECK(r.model.layers == layers);
    CHECK(r.model.norm == (r.model.form == "fixup" ? "none" : "batch"));
    CHECK(r.data.name == "cifar10");
    CHECK(r.data.augment.flip);
    CHECK(r.data.augment.crop_padding == 4);
    CHECK(r.optimizer.name == "sgd");
    CHECK(r.optimizer.weight_decay == 1e-4);
    CHECK(r.optimizer.momentum == 0.9);
    return r;
  };
  for (const std::int64_t layers : {std::int64_t{56}, std::int64_t{110}}) {
    const std::string name = "resnet" + std::to_string(layers) + "-";
    for (const auto& [file, form] : {std::pair{"residual", "residual"},
                                     {"gated", "gated"},
                                     {"zero-gamma", "zero_gamma"},
                                     {"fixup", "fixup"},
                                     {"rezero", "rezero"}})
      CHECK(check(name + file, "resnet", form, layers).train.epochs == 200);
  }
  for (const std::int64_t layers : {std::int64_t{18}, std::int64_t{50}})
    for (const char* form : {"residual", "rezero"})
      check("preact-resnet" + std::to_string(layers) + "-" + form, "preact_resnet", form, layers);
  for (const std::int64_t layers : {std::int64_t{20}, std::int64_t{56}, std::int64_t{110}})
    for (const std::string form : {"residual", "rezero"}) {
      const Recipe r = check("resnet" + std::to_string(layers) + "-" + form + "-short", "resnet", form.c_str(), layers);
      CHECK(r.optimizer.learning_rate == (layers == 20 ? 0.2 : 0.1));
      CHECK(r.train.epochs == 1);
      CHECK(r.train.batch_size == 128);
    }
  const Recipe super = check("resnet56-rezero-super", "resnet", "rezero", 56);
  CHECK(super.schedule.name == "one_cycle");
  CHECK(super.optimizer.role(Role::residual_weight).rate_factor == 0.1);
}

TEST_CASE("recipe: the summary of a model folds equal layers") {
  const Recipe r = with({"model.depth=12", "model.width=8", "model.form=deep_layer_norm"});
  const std::string summary = tool::model_summary(r, *tool::declare_model(r));
  CHECK(mentions(summary, {"norm(F(x))", "relu(W x + b)", "linear_layers.{0..11}.weight", "[8, 8]", "768", "weight",
                           "ln.weight", "norm", "total"}));
  CHECK(std::count(summary.begin(), summary.end(), '\n') < 18);
}

TEST_CASE("recipe: the summary tells the optimiser with its numbers") {
  const auto summary = [](const std::vector<std::string>& settings) {
    const Recipe r = with(settings);
    return tool::model_summary(r, *tool::declare_model(r));
  };
  CHECK(mentions(summary({"optimizer.name=lamb"}),
                 {"optimizer lamb: learning_rate 0.001, weight_decay 0.01, beta1 0.9, beta2 0.999, eps 1e-06, "
                  "bias_correction true, trust_ratio of weight, embedding; schedule constant\n"}));
  CHECK(mentions(summary({"optimizer.name=muon", "schedule.name=cosine"}),
                 {"optimizer muon:", "momentum 0.95", "for matrices of weights, AdamW for the rest",
                  "schedule cosine: final_fraction 0"}));
}

TEST_CASE("recipe: another form takes its own gates, norm and branch, not those that a run's recipe wrote out") {
  const auto resolved = [](const std::string& toml, const std::vector<std::string>& settings) {
    return tool::parse_recipe(toml, "recipe.toml", settings);
  };
  const std::string rezero = tool::to_toml(resolved("[model]\nform = \"rezero\"\n", {}));
  CHECK(resolved(rezero, {"model.form=pre_norm"}).model.gate.empty());
  CHECK(resolved(rezero, {"model.form=pre_norm"}).model.norm == "layer_norm");
  CHECK(resolved(rezero, {"model.form=zero_projection"}).model.branch == "activation_first");
  CHECK(resolved(rezero, {"model.form=rezero_one"}).model.gate == std::vector<double>{1});
  const std::string scaled = tool::to_toml(resolved("[model]\nform = \"layer_scale\"\ndepth = 12\n", {}));
  CHECK(resolved(scaled, {"model.depth=24"}).model.gate == std::vector<double>{1e-5});
  // What was chosen stays.
  const std::string chosen = tool::to_toml(resolved("[model]\nform = \"rezero\"\ngate = 0.5\n", {}));
  CHECK(resolved(chosen, {"model.form=tanh_gate"}).model.gate == std::vector<double>{0.5});
  CHECK(resolved(rezero, {"model.form=rezero"}).model.gate == std::vector<double>{0});
}
