#include "tools/rezero/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/backend.h"
#include "core/cpu/isa.h"
#include "core/error.h"
#include "core/parallel.h"
#include "data/file.h"
#include "data/text.h"
#include "rezero_build.h"
#include "tools/rezero/checkpoint.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool holds_something(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error) && !fs::is_empty(path, error) && !error;
}

Json describe(const Dataset& data) { return {{"examples", data.size()}, {"checksum", data.checksum()}}; }

}  // namespace

RunPaths::RunPaths(std::string_view given) : directory(absolute(given)) {
  if (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  recipe = directory + "/recipe.toml";
  information = directory + "/run.json";
  metrics = directory + "/metrics.jsonl";
  checkpoints = directory + "/checkpoints";
}

bool is_run(std::string_view directory) {
  std::error_code error;
  return fs::is_regular_file(RunPaths(directory).recipe, error);
}

void require_run(std::string_view directory) {
  if (is_run(directory)) return;
  const std::string full = RunPaths(directory).directory;
  std::error_code error;
  RZ_CHECK(file, fs::exists(full, error), "{}: there is no such run", full);
  RZ_CHECK(file, fs::is_directory(full, error), "{}: is no run, but a file (give the folder that rezero train made)",
           full);
  RZ_FAIL(file, "{}: is no run: recipe.toml is missing (give the folder that rezero train made)", full);
}

Recipe load_run_recipe(std::string_view directory, std::span<const std::string> settings) {
  require_run(directory);
  return load_recipe(RunPaths(directory).recipe, settings);
}

void check_new_run(const RunPaths& paths) {
  if (is_run(paths.directory))
    throw UsageError(fmt::format("{}: holds a run already (go on with it: --resume {}; or give another --out)",
                                 paths.directory, paths.directory));
  for (const std::string& path : {paths.metrics, paths.checkpoints})
    if (holds_something(path))
      throw UsageError(fmt::format("{}: exists already, but belongs to no run (give another --out)", path));
}

void make_run_folders(const RunPaths& paths) {
  check_new_run(paths);
  std::error_code error;
  fs::create_directories(paths.checkpoints, error);
  RZ_CHECK(file, !error, "{}: cannot be made a folder: {}", paths.directory, error.message());
}

void write_run_files(const RunPaths& paths, const Recipe& recipe, const DataSplits& data) {
  write_atomically(paths.recipe, to_toml(recipe));
  const Json information{
      {"schema", 1},
      {"version", RZ_VERSION},
      {"commit", RZ_COMMIT},
      {"compiler", RZ_COMPILER},
      {"blas", blas_text()},
      {"isa", cpu_isa()},
      {"cpu", cpu_model()},
      {"threads", threads()},
      {"cores", cores()},
      {"device", recipe.train.device},
      {"precision", precision_text(recipe.train)},
      {"seed", recipe.train.seed},
      {"data",
       {{"name", recipe.data.name}, {"train", describe(data.train)}, {"validation", describe(data.validation)}}}};
  write_atomically(paths.information, information.dump(2) + "\n");
}

namespace {

// use(run.json), where there is one: a run may have been killed before it was written.
template <class F>
void read_information(const RunPaths& paths, F&& use) {
  std::error_code missing;
  if (!fs::exists(paths.information, missing)) return;
  try {
    use(Json::parse(read_file(paths.information)));
  } catch (const nlohmann::json::exception& error) {
    RZ_FAIL(file, "{}: cannot be understood: {}", paths.information, reason_of(error));
  }
}

}  // namespace

void check_same_data(const RunPaths& paths, const DataSplits& data) {
  read_information(paths, [&](const Json& before) {
    const std::string train = before.at("data").at("train").at("checksum");
    RZ_CHECK(file, train == data.train.checksum(), "{}: the run was trained on other data (checksum {}, now {})",
             paths.directory, printable(train), data.train.checksum());
  });
}

std::string check_resumable(const RunPaths& paths, const DataSplits& data) {
  check_same_data(paths, data);
  std::string warning;
  read_information(paths, [&](const Json& before) {
    const std::string isa = before.at("isa");
    if (isa != cpu_isa())
      warning = fmt::format("the run used {} before and uses {} now: it goes on, but not bit for bit", printable(isa),
                            cpu_isa());
  });
  return warning;
}

RunLock::RunLock(const RunPaths& paths)
    : descriptor_(open(paths.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0 || flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    return;  // no locks here: as good as held
  close(descriptor_);
  RZ_FAIL(file, "{}: is being trained by another program (wait for it, or end it)", paths.directory);
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string checkpoint_path(std::string_view directory, std::string_view which) {
  require_run(directory);
  const std::string folder = RunPaths(directory).checkpoints;
  const bool named = which == "last" || which == "best" || which == "initial";
  const std::string path = folder + "/" + (named ? "" : "step-") + std::string(which) + ".safetensors";
  std::error_code error;
  if (fs::is_regular_file(path, error)) return path;
  std::vector<std::string> there;
  for (const char* name : {"last", "best", "initial"})
    if (fs::exists(folder + "/" + name + ".safetensors", error)) there.emplace_back(name);
  for (const std::int64_t step : checkpoint_steps(folder)) there.push_back(std::to_string(step));
  RZ_FAIL(file, "{}: there is no checkpoint {} (there {})", RunPaths(directory).directory, printable(which),
          there.empty() ? "are none yet" : fmt::format("are {}", fmt::join(there, ", ")));
}

std::string machine_line() {
  return fmt::format("threads: {} of {} cores, {}, cpu {}", threads(), cores(), cpu_isa(), cpu_model());
}

std::string blas_text() {
  const std::string all = backend(Device::cpu()).description();  // "AMD EPYC, avx512, OpenBLAS 0.3.21 (SkylakeX)"
  const std::size_t at = all.find("OpenBLAS");
  return at == std::string::npos ? all : all.substr(at);
}

std::string version_text() { return fmt::format("rezero {} (commit {}, {})", RZ_VERSION, RZ_COMMIT, RZ_COMPILER); }

}  // namespace rz::tool
