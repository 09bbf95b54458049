// Whole commands of the isometry analyses against the clock.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "data/file.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

// 512 layers of 512 units on the critical line of tanh.
constexpr const char* recipe = R"([model]
family = "fc"
form = "deep"
depth = 512
width = 512
activation = "tanh"
init = "mean_field"
sigma_w = 1.12254
sigma_b = 0.05
)";

struct Case {
  const char* name;
  double target;  // seconds on two cores
  std::vector<std::string> arguments;
};

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes) {
    folder_ = (std::filesystem::temp_directory_path() / "rezero-bench-XXXXXX").string();
    RZ_CHECK(file, mkdtemp(folder_.data()) != nullptr, "bench: no temporary folder can be made: {}",
             std::strerror(errno));
    write_atomically(path(), bytes);
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path() const { return folder_ + "/bench.toml"; }

 private:
  std::string folder_;
};

// Seconds from start to end of this program with other arguments; what it prints is dropped.
double seconds_of(const Case& c) {
  std::vector<std::string> words{"rezero"};
  words.insert(words.end(), c.arguments.begin(), c.arguments.end());
  words.insert(words.end(), {"--threads", std::to_string(threads())});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const double start = seconds_now();
  const pid_t child = fork();
  RZ_CHECK(library, child >= 0, "bench: no process can be started: {}", std::strerror(errno));
  if (child == 0) {
    if (!freopen("/dev/null", "w", stdout)) _exit(127);
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  RZ_CHECK(library, status == 0, "bench: rezero {} failed", fmt::format("{}", fmt::join(c.arguments, " ")));
  return seconds_now() - start;
}

}  // namespace

BenchResult bench_isometry() {
  const TemporaryFile file(recipe);
  const Case cases[] = {
      {"spectrum", 60, {"spectrum", "--recipe", file.path(), "--inputs", "gaussian", "--samples", "1", "--json"}},
      {"phase",
       10,
       {"theory", "phase", "--activation", "tanh", "--sigma-w", "0.5:3", "--sigma-b", "0:1", "--grid", "200x200",
        "--json"}},
      {"density",
       1,
       {"theory", "--activation", "tanh", "--sigma-b", "0.05", "--critical", "--depth", "128", "--points", "400",
        "--json"}}};
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  std::vector<Measurement> measurements;
  std::vector<std::vector<std::string>> rows{{"command", "seconds", "target", "share of it"}};
  for (const Case& c : cases) {
    const double seconds = seconds_of(c);
    Times once;
    once.add(seconds);
    measurements.push_back(duration(c.name, once));
    results.push_back({{"name", c.name}, {"seconds", seconds}, {"target", c.target}, {"share", seconds / c.target}});
    rows.push_back({c.name, fmt::format("{:.2f}", seconds), fmt::format("{:g}", c.target),
                    fmt::format("{:.0f} %", 100 * seconds / c.target)});
  }
  const std::string text = table_text(rows, "lrrr") +
                           "\nspectrum: product form of 512 tanh layers of 512 units; phase: tanh, 200 x 200 points;\n"
                           "density: tanh, 128 layers, 400 points. Whole commands.\n";
  return {text, bench_document({{"schema", 1}, {"cases", results}}, measurements)};
}

}  // namespace rz::tool
