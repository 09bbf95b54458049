#include "tools/report/gnuplot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace rz::report {
namespace {

// A file in memory. As the child's standard streams, three of them cannot block or raise SIGPIPE, whatever the order of
// reading and writing.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : descriptor_(memfd_create(name, MFD_CLOEXEC)) {
    RZ_CHECK(memory, descriptor_ >= 0, "chart: no memory file for gnuplot: {}", std::strerror(errno));
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  int descriptor() const { return descriptor_; }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      RZ_CHECK(memory, written > 0, "chart: the script for gnuplot cannot be kept: {}", std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    lseek(descriptor_, 0, SEEK_SET);
  }
  std::string read() {
    std::string text;
    char buffer[65536];
    lseek(descriptor_, 0, SEEK_SET);
    for (;;) {
      const ssize_t got = ::read(descriptor_, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  int descriptor_;
};

// gnuplot echoes the command and points at the place; the line that says what is wrong holds "line N:".
std::string first_error(std::string_view text) {
  std::string first;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t\r")));
    if (line.find("line ") != line.npos && line.find(": ") != line.npos) return std::string(line);
    if (first.empty()) first = line;
  }
  return first.empty() ? "it gave no reason" : first;
}

// The child's exit status, 0 when it cannot be had (a parent that ignores SIGCHLD).
int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 0;
  }
  return status;
}

}  // namespace

std::string gnuplot(std::string_view script, Format format) {
  MemoryFile input("script"), output("picture"), errors("errors");
  input.write(script);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.descriptor(), STDERR_FILENO);
  // -d: no start-up files, the user's settings are not ours
  const char* const arguments[] = {"gnuplot", "-d", nullptr};
  pid_t child = 0;
  const int failure = posix_spawnp(&child, "gnuplot", &actions, nullptr, const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  RZ_CHECK(library, failure != ENOENT, "chart: gnuplot was not found: install it (apt-get install gnuplot-nox)");
  RZ_CHECK(library, failure == 0, "chart: gnuplot cannot be started: {}", std::strerror(failure));
  const int status = wait_for(child);
  RZ_CHECK(library, !WIFSIGNALED(status), "chart: gnuplot was ended by signal {}", WTERMSIG(status));
  RZ_CHECK(library, status == 0, "chart: gnuplot failed: {}", first_error(errors.read()));
  std::string picture = output.read();
  const std::string_view last = format == Format::svg ? "</svg>" : "IEND";
  RZ_CHECK(library, picture.find(last) != picture.npos, "chart: gnuplot drew nothing: {}", first_error(errors.read()));
  return picture;
}

std::string picture(Size size, std::string_view title, Format format) {
  // sizes of fonts are pixels in SVG but points in PNG: 3/4 of it
  const std::string terminal =
      format == Format::svg
          ? fmt::format("svg size {},{}", size.width, size.height)
          : fmt::format("pngcairo size {},{} fontscale 1.5 linewidth 2 pointscale 3", 2 * size.width, 2 * size.height);
  return fmt::format(
      "set encoding utf8\nset minussign\nset format '%g'\n"
      "set terminal {} dashlength 0.5 enhanced font 'sans-serif,13' background rgb 'white' rounded\n"
      "set border 3 lw 0.8 lc rgb '#606060'\n"
      "set tics nomirror out scale 0.5 textcolor rgb '#303030'\n"
      "set grid lt 1 dt 1 lw 0.6 lc rgb '#E4E4E4', lt 1 dt 1 lw 0.6 lc rgb '#E4E4E4'\n"
      "set label 1 {} at {} left noenhanced font 'sans-serif,16' textcolor rgb '#101010'\n",
      terminal, quoted(title, 84), at_pixel(20, 24, size));
}

std::string at_pixel(double x, double y, Size size) {
  return fmt::format("screen {}, screen {}", x / size.width, 1 - y / size.height);
}

std::string margins(const Box& box, Size size) {
  return fmt::format(
      "set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen {}\nset bmargin at screen {}\n",
      box.left / size.width, box.right / size.width, 1 - box.top / size.height, 1 - box.bottom / size.height);
}

const char* colour(std::size_t index) {
  constexpr const char* list[colours] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#404040"};
  return list[index % colours];
}

int shape(std::size_t index) {
  constexpr int list[colours] = {7, 5, 9, 13, 11, 15, 3};  // disc, square, triangle, diamond, triangle, pentagon, star
  return list[index % colours];
}

double round_step(double x) {
  const double power = std::pow(10.0, std::floor(std::log10(x)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= x * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace rz::report
