// The command as a whole: usage, exit codes, streams, and bad surroundings.
#include "support/command.h"

#include <doctest/doctest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "support/close.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

using namespace rz::test;

namespace {

// What the program writes to a terminal of so many columns.
std::string on_terminal(const std::vector<std::string>& arguments, unsigned short columns, const char* term,
                        bool no_color) {
  winsize size{24, columns, 0, 0};
  int terminal = -1;
  const pid_t process = forkpty(&terminal, nullptr, nullptr, &size);
  if (process == 0) {
    setenv("TERM", term, 1);
    unsetenv("COLUMNS");
    no_color ? setenv("NO_COLOR", "1", 1) : unsetenv("NO_COLOR");
    std::vector<char*> words{const_cast<char*>(RZ_COMMAND)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
  std::string text;
  char bytes[4096];
  for (ssize_t count; (count = read(terminal, bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<std::size_t>(count));
  close(terminal);
  waitpid(process, nullptr, 0);
  return text;
}

}  // namespace

TEST_CASE("command: help and version") {
  const CommandResult help = run_command({"--help"});
  CHECK(help.exit_code == 0);
  CHECK(help.error.empty());
  CHECK(mentions(help.out, {"train", "compare", "eval", "jacobian", "bench", "info", "Examples", "Exit codes"}));
  for (const char* name : {"train", "compare", "eval", "jacobian", "bench", "info"}) {
    const CommandResult one = run_command({name, "--help"});
    CHECK(one.exit_code == 0);
    CHECK(mentions(one.out, {"rezero", name}));
  }
  CHECK(mentions(run_command({"--version"}).out, {"rezero 0.", "commit"}));
}

TEST_CASE("command: wrong usage is exit code 2 and one line with what may have been meant") {
  check_refused({}, 2, {"command", "--help"});
  check_refused({"trian"}, 2, {"trian", "did you mean 'train'"});
  check_refused({"zzzzzzzzzz"}, 2, {"zzzzzzzzzz", "--help"});
  check_refused({"--verison"}, 2, {"--verison", "did you mean '--version'"});
  check_refused({"train", "--rezume", "x"}, 2, {"--rezume", "did you mean '--resume'"});
  check_refused({"train"}, 2, {"no recipe"});
  check_refused({"train", "a.toml", "b.toml"}, 2, {"b.toml"});
  check_refused({"train", "a.toml", "--threads", "many"}, 2, {"--threads"});
  check_refused({"train", "a.toml", "--set"}, 2, {"--set"});
  check_refused({"theory", "--depth", "99999999999999999999"}, 2,
                {"theory", "--depth: 99999999999999999999 is beyond the range of whole numbers", "--help"});
  check_refused({"theory", "--depth", "2.5"}, 2, {"--depth: '2.5' is no whole number"});
  check_refused({"theory", "--sigma-w", "1,5"}, 2, {"--sigma-w: '1,5' is no number"});
  check_refused({"theory", "--lambda", "1,,2"}, 2, {"--lambda", "empty item"});
}

TEST_CASE("command: a recipe that is missing, wrong or not one") {
  const TemporaryFolder folder;
  check_refused({"train", "nowhere.toml"}, 1, {"/nowhere.toml", "No such file"});
  write_file(folder / "a.toml", "[model]\ndepht = 3\n");
  check_refused({"train", folder / "a.toml"}, 2, {"a.toml:2:1", "depht", "did you mean 'depth'"});
  check_refused(small_training(folder / "run", {"--set", "model.form=rezro"}), 2,
                {"--set", "model.form", "rezro", "did you mean 'rezero'"});
  check_refused(small_training(folder / "run", {"--set", "data.name=cifar10", "--set", "data.path=/nowhere"}), 1,
                {"/nowhere", "data_batch_1.bin"});
  check_refused(small_training(folder / "run", {"--set", "data.name=cifar10"}), 2, {"cifar10", "path"});
  check_refused(small_training(folder / "run", {"--set", "model.inputs=17"}), 2, {"model.inputs", "17"});
  check_refused(small_training(folder / "run", {"--set", "model.gate=[1, 2]"}), 2, {"2 gates", "3 layers"});
  check_refused(small_training(folder / "run", {"--set", "model.width=1000000", "--set", "model.depth=1000"}), 1,
                {"memory"});
  CHECK(!std::filesystem::exists(folder / "run"));
}

TEST_CASE("command: output that cannot be written") {
  const TemporaryFolder folder;
  const CommandOptions full{.out = "/dev/full"};
  check_refused({"--help"}, 1, {"standard output", "No space left"}, full);
  check_refused({"--version"}, 1, {"standard output"}, full);
  check_refused(small_training(folder / "run"), 1, {"standard output"}, full);
  write_file(folder / "file", "");
  check_refused(small_training(folder / "file/run"), 1, {"file/run", "Not a directory"});
  check_refused(small_training("/proc/nothing"), 1, {"/proc/nothing"});
}

TEST_CASE("command: --out that holds a run is refused") {
  const TemporaryFolder folder;
  REQUIRE(run_command(small_training(folder / "run", {"--set", "train.steps=1"})).exit_code == 0);
  check_refused(small_training(folder / "run"), 2, {folder / "run", "holds a run already", "--resume"});
}

TEST_CASE("command: a disk that is full before or during the run") {
  const TemporaryFolder elsewhere;
  SmallDisk small(65536);
  if (!small.mounted()) {
    MESSAGE("no file system could be mounted: not tested");
    return;
  }
  check_refused(small_training(small.folder() / "run"), 1, {"checkpoint", "needs", "left"});
  CHECK(small.folder().names().empty());

  SmallDisk disk(2'500'000);  // each checkpoint takes about 400 KB
  const CommandResult result = run_command(
      small_training(disk.folder() / "run", {"--set", "checkpoint.keep=\"all\"", "--set", "checkpoint.every=10"}));
  CHECK(result.exit_code == 1);
  CHECK(mentions(result.error, {"checkpoint of step", "No space left", "training goes on",
                                "rezero: train: the last checkpoint is missing"}));
  for (const auto& entry : std::filesystem::directory_iterator(disk.folder() / "run/checkpoints"))
    CHECK(entry.path().filename().string().find(".tmp") == std::string::npos);
  const std::string metrics = contents(disk.folder() / "run/metrics.jsonl");
  CHECK((metrics.empty() || metrics.back() == '\n'));
}

TEST_CASE("command: progress is a bar on a terminal and bounded lines elsewhere") {
  const TemporaryFolder folder;
  const std::vector<std::string> more{"--set", "train.epochs=12", "--set", "train.log_every=100"};
  const CommandResult plain = run_command(small_training(folder / "plain", more));
  CHECK(plain.exit_code == 0);
  CHECK(plain.error.find('\x1b') == std::string::npos);
  CHECK(plain.error.find('\r') == std::string::npos);
  CHECK(std::count(plain.error.begin(), plain.error.end(), '\n') <= 35);

  const std::string bar = on_terminal(small_training(folder / "bar", more), 100, "xterm", false);
  CHECK(mentions(bar, {"\x1b[36m", "/180", "examples/s", "\x1b[K"}));
  const std::string colourless = on_terminal(small_training(folder / "colourless", more), 100, "xterm", true);
  CHECK(colourless.find("\x1b[36m") == std::string::npos);
  CHECK(mentions(colourless, {"[#"}));
  const std::string dumb = on_terminal(small_training(folder / "dumb", more), 100, "dumb", false);
  CHECK(dumb.find('\x1b') == std::string::npos);
  // One column: every redrawn line holds at most one character.
  const std::string narrow = on_terminal(small_training(folder / "narrow", more), 1, "xterm", true);
  for (std::size_t at = narrow.find('\r'); at != std::string::npos; at = narrow.find('\r', at + 1))
    if (const std::size_t end = narrow.find("\x1b[K", at); end != std::string::npos && narrow.find('\n', at) > end)
      CHECK(end - at <= 2);
}
