// rezero sample: what standard output gets, of bytes and of words.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "support/command.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

const std::string rhyme =
    "the cat sat on the mat\nthe dog sat on the log\nthe cat ran to the dog\nthe dog ran to the mat\n";

// A run of two steps on a small text.
struct SmallRun {
  TemporaryFolder folder;
  std::string run = folder / "run", text = folder / "rhyme.txt";
  explicit SmallRun(const Arguments& more = {}) {
    std::string many;
    for (int k = 0; k < 20; ++k) many += rhyme;
    write_file(text, many);
    const std::string recipe = folder / "small.toml";
    write_file(recipe,
               "[model]\nfamily = \"char_transformer\"\nlayers = 1\nd_model = 8\nheads = 2\nfeed_forward = 8\n"
               "[data]\nname = \"text\"\npath = \"" +
                   text + "\"\ncontext = 8\n[train]\nsteps = 2\nbatch_size = 4\n");
    const CommandResult result = run_command(Arguments{"train", recipe, "--out", run} + more);
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  }
  CommandResult sample(const Arguments& more) const { return run_command(Arguments{"sample", run} + more); }
};

std::int64_t count_words(const std::string& text) {
  std::istringstream stream(text);
  std::string word;
  std::int64_t count = 0;
  while (stream >> word) ++count;
  return count + std::ranges::count(text, '\n');  // line ends are words
}

}  // namespace

TEST_CASE("sample: the prompt and exactly so many bytes, the same for a seed") {
  const SmallRun small;
  const CommandResult first = small.sample({"--prompt", "the c", "--length", "100"});
  CHECK(first.exit_code == 0);
  CHECK(first.error.empty());
  CHECK(first.out.size() == 105);
  CHECK(first.out.starts_with("the c"));
  CHECK(small.sample({"--prompt", "the c", "--length", "100", "--threads", "1"}).out == first.out);
  CHECK(small.sample({"--prompt", "the c", "--length", "100", "--seed", "2"}).out != first.out);
  CHECK(small.sample({"--prompt", "the c", "--length", "0"}).out == "the c");
  CHECK(small.sample({"--length", "7"}).out.size() == 7);
  CHECK(small.sample({}).out.size() == 500);
  const std::string file = small.folder / "prompt", longer(1000, 'x');
  write_file(file, longer);
  const CommandResult from_file = small.sample({"--prompt-file", file, "--length", "9", "--top-k", "1"});
  CHECK(from_file.out.size() == 1009);
  CHECK(from_file.out.starts_with(longer));
  CHECK(from_file.out == small.sample({"--prompt-file", file, "--length", "9", "--temperature", "0"}).out);
  CHECK(small.sample({"--checkpoint", "initial", "--length", "5", "--top-p", "0.5"}).out.size() == 5);
}

TEST_CASE("sample: words, and those that the vocabulary lacks") {
  const SmallRun small({"--set", "data.level=word"});
  const CommandResult known = small.sample({"--prompt", "the dog\n", "--length", "60"});
  CHECK(known.exit_code == 0);
  CHECK(known.error.empty());
  CHECK(known.out.starts_with("the dog\n"));
  CHECK(count_words(known.out) == 63);
  CHECK(count_words(small.sample({"--length", "25"}).out) == 25);
  const CommandResult unknown = small.sample({"--prompt", "the bird saw the bird", "--length", "1"});
  CHECK(unknown.out.starts_with("the bird saw the bird"));
  CHECK(unknown.error == "rezero: prompt: bird and 1 more are not in the vocabulary, read as <unk>\n");
  CHECK(small.sample({"--prompt", "cow", "--length", "1"}).error ==
        "rezero: prompt: cow is not in the vocabulary, read as <unk>\n");
  CHECK(small.sample({"--prompt", "bird", "--length", "30"}).out.substr(4) ==
        small.sample({"--prompt", "<unk>", "--length", "30"}).out.substr(5));
  write_file(small.text, contents(small.text) + rhyme + "and so on\n");
  check_refused({"sample", small.run}, 1, {small.run, "other data"});
}

TEST_CASE("sample: bad input is one line, and nothing on standard output") {
  const SmallRun small;
  check_refused({"sample"}, 2, {"neither a run nor a recipe"});
  check_refused({"sample", small.folder / "none"}, 1, {"none"});
  check_refused({"sample", small.run, "--temperature", "-1"}, 2, {"temperature", "-1"});
  check_refused({"sample", small.run, "--temperature", "nan"}, 2, {"temperature", "nan"});
  check_refused({"sample", small.run, "--top-k", "0"}, 2, {"--top-k"});
  check_refused({"sample", small.run, "--top-p", "1.5"}, 2, {"top-p", "1.5"});
  check_refused({"sample", small.run, "--length", "-3"}, 2, {"--length"});
  check_refused({"sample", small.run, "--prompt", "a", "--prompt-file", "b"}, 2, {"--prompt-file"});
  check_refused({"sample", small.run, "--prompt-file", small.folder / "none"}, 1, {"none"});
  check_refused({"sample", "--recipe", quickstart_recipe}, 2, {"quickstart", "fc", "char_transformer"});
}
