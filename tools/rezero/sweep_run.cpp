// The processes of a sweep.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "data/file.h"
#include "tools/rezero/command.h"
#include "tools/rezero/history.h"
#include "tools/rezero/interrupt.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/run.h"
#include "tools/rezero/sweep.h"

namespace rz::tool {
namespace {

// The process that trains a run, or goes on with it. Its output goes to FOLDER/RUN.log. It ends with us.
pid_t start(const SweepPlan& plan, const SweepRun& run, const std::string& folder, int threads) {
  const std::string out = folder + "/" + run.folder, log = out + ".log", count = std::to_string(threads);
  std::vector<std::string> words{"rezero", "train"};
  if (is_run(out)) {
    words.insert(words.end(), {"--resume", out});
  } else {
    words.insert(words.end(), {plan.recipe, "--out", out});
    for (const std::string& setting : run.settings) words.insert(words.end(), {"--set", setting});
  }
  words.insert(words.end(), {"--threads", count});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int descriptor = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  RZ_CHECK(file, descriptor >= 0, "{}: cannot be written: {}", log, std::strerror(errno));
  const pid_t parent = getpid(), child = fork();
  if (child == 0) {
    setpgid(0, 0);  // Ctrl-C reaches us alone: a second signal from us would end the run without a checkpoint
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    dup2(descriptor, STDOUT_FILENO);
    dup2(descriptor, STDERR_FILENO);
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }
  close(descriptor);
  RZ_CHECK(library, child > 0, "sweep: no process can be started: {}", std::strerror(errno));
  return child;
}

// Runs that failed are tried again; one that diverged would diverge again.
bool is_done(const std::string& folder, const SweepRun& run) {
  const std::string path = folder + "/" + run.folder;
  if (!std::filesystem::exists(path + ".done") || !std::filesystem::exists(path + "/metrics.jsonl")) return false;
  return !read_file(path + ".done").starts_with("failed");
}

// Loss or gradient norm of the last logged step are not finite.
bool diverged(const std::string& run) {
  if (!std::filesystem::exists(run + "/metrics.jsonl")) return false;
  const std::string runs[] = {run};
  return !load_histories(runs)[0].ended_finite;
}

// The last line of a log.
std::string last_line(const std::string& log) {
  std::string text = read_file(log);
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

bool run_sweep(const SweepPlan& plan, const std::string& folder, int jobs, int threads) {
  const RunLock lock{RunPaths(folder)};
  const GracefulInterrupt interrupt;
  std::vector<const SweepRun*> waiting;
  for (const SweepRun& run : plan.runs)
    if (!is_done(folder, run)) waiting.push_back(&run);
  const std::int64_t total = std::ssize(plan.runs);
  std::int64_t done = total - std::ssize(waiting);
  Progress progress("sweep", total, done);
  std::map<pid_t, const SweepRun*> running;
  std::size_t next = 0;
  bool stopping = false;
  const auto finish = [&](pid_t child, int status) {
    const SweepRun& run = *running.at(child);
    running.erase(child);
    const std::string log = folder + "/" + run.folder + ".log";
    if (WIFEXITED(status) && WEXITSTATUS(status) == exit_interrupted) return;
    const std::string outcome =
        WIFSIGNALED(status)        ? fmt::format("failed: ended by signal {}", WTERMSIG(status))
        : WEXITSTATUS(status) == 0 ? "complete"
                                   : (diverged(folder + "/" + run.folder) ? "diverged: " : "failed: ") + last_line(log);
    write_atomically(folder + "/" + run.folder + ".done", outcome + "\n");
    ++done;
    progress.message(run.folder + ": " + outcome);
    progress.update(done, fmt::format("{} running", running.size()));
  };
  while (!running.empty() || (next < waiting.size() && !stopping)) {
    if (interrupt.requested() && !stopping) {
      stopping = true;
      for (const auto& [child, run] : running) kill(child, SIGTERM);
    }
    while (!stopping && std::ssize(running) < jobs && next < waiting.size()) {
      const SweepRun& run = *waiting[next++];
      running.emplace(start(plan, run, folder, threads), &run);
    }
    int status = 0;
    const pid_t child = waitpid(-1, &status, WNOHANG);
    if (child > 0 && running.contains(child)) finish(child, status);
    if (child <= 0) usleep(50'000);
  }
  progress.finish();
  return done == total;
}

}  // namespace rz::tool
