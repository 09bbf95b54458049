// rezero sample: text from a language model.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "core/parallel.h"
#include "core/random.h"
#include "data/file.h"
#include "data/text.h"
#include "data/vocabulary.h"
#include "nn/text_generator.h"
#include "tools/rezero/alphabet.h"
#include "tools/rezero/command.h"
#include "tools/rezero/model.h"
#include "tools/rezero/run.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

struct SampleOptions {
  SourceOptions source;
  std::optional<std::string> prompt, prompt_file;
  std::int64_t length = 500, seed = 1;
  std::optional<std::int64_t> top_k;
  nn::SamplingOptions sampling;
  int threads = 0;
};

const nn::CharTransformer& language_model(const Source& source) {
  const auto* const model = dynamic_cast<const nn::CharTransformer*>(source.model.get());
  if (!model)
    throw UsageError(fmt::format("sample: {} is a network of family {}, which writes no text (char_transformer does)",
                                 source.name, source.recipe.model.family));
  return *model;
}

// The vocabulary of words is that of the training split: the data are read again.
Alphabet alphabet_of(const SampleOptions& options, const Source& source) {
  if (source.recipe.data.text.level == "byte") return {};
  DataSplits data = load_data(source.recipe);
  if (!options.source.run.empty()) check_same_data(RunPaths(options.source.run), data);
  return Alphabet(std::move(data.train.class_names));
}

std::string prompt_of(const SampleOptions& options) {
  if (options.prompt && options.prompt_file) throw UsageError("--prompt-file: --prompt is a prompt, too (give one)");
  return options.prompt_file ? read_file(*options.prompt_file) : options.prompt.value_or("");
}

void warn_of_unknown(const std::vector<std::string>& words) {
  if (words.empty()) return;
  std::string some = printable(words.front());
  if (words.size() > 1) some += fmt::format(" and {} more", words.size() - 1);
  say(fmt::format("rezero: prompt: {} {} not in the vocabulary, read as <unk>\n", some,
                  words.size() == 1 ? "is" : "are"));
}

// A terminal is spared control codes, and told as \x1b what they are.
void write(const std::string& text) {
  static const bool terminal = is_terminal(Stream::output);
  static const std::vector<std::string> names = byte_names();
  if (!terminal) return print(text);
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = (byte < ' ' && byte != '\n' && byte != '\t') || byte == 127;
    shown += control ? names[byte] : std::string(1, c);
  }
  print(shown);
}

int run(const SampleOptions& options) {
  set_threads(options.threads);
  nn::SamplingOptions sampling = options.sampling;
  sampling.top_k = options.top_k.value_or(0);
  checked_usage("", [&] { nn::check(sampling); });
  const std::string prompt = prompt_of(options);
  const Source source = open_source(options.source, DType::f32);
  const nn::CharTransformer& model = language_model(source);
  const Alphabet alphabet = alphabet_of(options, source);
  if (alphabet.size() > model.options().vocabulary)
    throw UsageError(
        fmt::format("sample: {} has {} outputs, but {} bytes are to be written (words need data.level = "
                    "\"word\" and their text)",
                    source.name, model.options().vocabulary, alphabet.size()));
  warn_of_unknown(alphabet.unknown_words(prompt));
  nn::TextGenerator generator(model, alphabet.size(), sampling,
                              Random(static_cast<std::uint64_t>(options.seed), stream_named("sample")));
  const std::vector<std::int64_t> start = alphabet.tokens_of(prompt);
  generator.read(start.empty() ? std::vector{alphabet.line_end()} : start);
  std::signal(SIGPIPE, SIG_DFL);  // a reader that has enough, such as head, ends us without a message
  write(prompt);
  char last = prompt.empty() ? '\n' : prompt.back();
  for (std::int64_t k = 0; k < options.length; ++k) {
    const std::string text = alphabet.text_of(generator.next(), last);
    last = text.back();
    write(text);
  }
  if (is_terminal(Stream::output)) print("\n");
  return exit_success;
}

}  // namespace

Command make_sample(CLI::App& app) {
  const auto options = std::make_shared<SampleOptions>();
  CLI::App* const command = app.add_subcommand("sample", "Text from a language model");
  command->footer(
      "Standard output gets the prompt, then N characters (bytes; of a model of words N words, line ends among them),\n"
      "and nothing else. The same seed gives the same text. The model sees as many tokens as it has positions: when\n"
      "they are used up, or by a longer prompt, it goes on from the last half of them. Without a prompt text begins "
      "as\n"
      "after a line end.\n\n"
      "Examples:\n"
      "  rezero sample runs/char --prompt 'The ' --length 1000\n"
      "  rezero sample runs/char --prompt-file start.txt --temperature 0.8 --top-p 0.9 --seed 2");
  add_source(*command, options->source);
  command->add_option("--prompt", options->prompt, "What the text begins with")->type_name("TEXT");
  command->add_option("--prompt-file", options->prompt_file, "The same from a file")->type_name("FILE");
  command->add_option("--length", options->length, "Characters, or words, after the prompt (default 500)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 50).description(""));
  command
      ->add_option("--temperature", options->sampling.temperature,
                   "Logits are divided by it: below 1 the likely becomes likelier, 0 takes the likeliest (default 1)")
      ->type_name("T");
  command->add_option("--top-k", options->top_k, "Only of the K likeliest tokens (default: all)")
      ->type_name("K")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 50).description(""));
  command
      ->add_option("--top-p", options->sampling.top_p,
                   "Only of the fewest tokens whose probabilities reach P, 0 < P <= 1 (default 1: all)")
      ->type_name("P");
  command->add_option("--seed", options->seed, "Of the draws (default 1)")
      ->type_name("S")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()).description(""));
  add_threads(*command, options->threads);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
