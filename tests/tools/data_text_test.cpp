// Texts in recipes and in `rezero data show`.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "tools/rezero/command.h"
#include "tools/rezero/model.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

tool::Recipe text_recipe(const std::vector<std::string>& settings) {
  return tool::parse_recipe("", "r.toml", settings);
}

std::string refused_recipe(const std::vector<std::string>& settings) {
  return message_of(ErrorCode::value, [&] { text_recipe(settings); });
}

}  // namespace

TEST_CASE("recipe: keys of texts, written only for them, and what follows from them") {
  const tool::Recipe bytes = text_recipe(
      {"model.family=char_transformer", "data.name=text8", "data.path=x", "data.context=64", "data.stride=16"});
  CHECK(bytes.model.context == 64);
  CHECK(bytes.model.outputs == 256);
  const std::string toml = tool::to_toml(bytes);
  CHECK(mentions(toml, {"context = 64", "stride = 16"}));
  CHECK(toml.find("level") == std::string::npos);
  CHECK(tool::to_toml(tool::parse_recipe(toml, "again")) == toml);
  const tool::Recipe words =
      text_recipe({"model.family=char_transformer", "data.name=text", "data.path=x", "data.level=word"});
  CHECK(words.data.text.context == 128);
  CHECK(!tool::is_complete(words));
  CHECK(mentions(tool::to_toml(words), {"level = \"word\"", "context = 128"}));
  const tool::Recipe reverse = text_recipe({"model.family=seq2seq", "data.length=7", "data.symbols=4", "data.seed=5"});
  CHECK(reverse.data.name == "reverse");
  CHECK(reverse.model.context == 7);
  CHECK(reverse.model.outputs == 5);
  CHECK(tool::dataset_options(reverse).reverse.seed == 5);
  CHECK(reverse.data.train_size == 20000);
  CHECK(reverse.data.validation_size == 1000);
  CHECK(tool::to_toml(text_recipe({})).find("context") == std::string::npos);
}

TEST_CASE("recipe: keys of texts that do not fit") {
  CHECK(mentions(refused_recipe({"data.context=64"}), {"data.context belongs to", "enwik8", "data.name is shapes"}));
  CHECK(mentions(refused_recipe({"data.name=enwik8", "data.level=word"}), {"data.level belongs to the data set text"}));
  CHECK(mentions(refused_recipe({"data.name=sources", "data.context=8", "data.stride=9"}), {"a stride of 9"}));
  CHECK(mentions(refused_recipe({"data.name=text", "data.level=line"}), {"data.level"}));
  const tool::Recipe recipe = text_recipe({"data.name=sources"});
  CHECK(mentions(message_of(ErrorCode::value, [&] { tool::declare_model(recipe); }),
                 {"fc takes numbers, not tokens: sources is a text"}));
  const TemporaryFolder folder;
  write_file(folder / "r.toml", "[data]\nname = \"sources\"\n");
  check_refused({"train", folder / "r.toml", "--out", folder / "run"}, 2, {"fc takes numbers, not tokens"});
}

TEST_CASE("data: train_size of a text counts windows, and the model gets its shape") {
  tool::Recipe recipe =
      text_recipe({"data.name=sources", "data.context=32", "data.train_size=10", "data.validation_size=3"});
  const DataSplits data = tool::load_data(recipe);
  CHECK(data.train.size() == 10);
  CHECK(data.train.tokens.size() == 10 * 32 + 1);
  CHECK(data.validation.size() == 3);
  tool::fill_in(recipe, data);
  CHECK(recipe.model.outputs == 256);
}

TEST_CASE("data show: a text by bytes and by words, as text and as JSON") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "one two\tthree\n";
  write_file(folder / "a.txt", text);
  const std::vector<std::string> arguments{"data", "show", "text", "--path", folder / "a.txt"};
  const CommandResult bytes = run_command(arguments + Arguments{"--set", "data.context=16"});
  REQUIRE_MESSAGE(bytes.exit_code == 0, bytes.error);
  CHECK(mentions(bytes.out, {folder / "a.txt", "16 tokens with 16 labels", "256 bytes", "bits per token", "train",
                             "2,520", "xxh3-128:", "validation", "140", "test", "140", "one two\\tthree\\non"}));
  const Arguments words{"--set", "data.context=4", "--set", "data.level=word", "--json"};
  const json r = json::parse(run_command(arguments + words).out);
  CHECK(r["vocabulary"] == json{"one", "two", "three", "<eos>", "<unk>"});
  CHECK(r["train"]["tokens"] == 720);
  CHECK(r["test"]["examples"] == 10);
  CHECK(close(r["unigram_entropy"], 2, 1e-12));
  CHECK(close(r["bigram_entropy"], 0, 1e-12));
  CHECK(r["windows"][0] == "one two three <eos>");
  const CommandResult reverse = run_command({"data", "show", "reverse", "--set", "data.train_size=5"});
  CHECK(mentions(reverse.out, {"40 tokens with 20 labels", "11 symbols", "205", "5", "1,000", "<start>"}));
  CHECK(mentions(run_command({"data", "show", "sources"}).out, {"256 bytes", "==== "}));
  check_refused(arguments + Arguments{"--out", folder / "x.png", "--set", "data.context=16"}, 2,
                {"--out: text is a text, of which there is no picture"});
  check_refused({"data", "show", "text"}, 2, {"text needs a path"});
  write_file(folder / "a.txt", "x");
  check_refused(arguments, 1, {folder / "a.txt: 0 of its 1 tokens are for train, but one window needs 129"});
}
