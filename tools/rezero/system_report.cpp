#include "tools/rezero/system_report.h"

#include <fmt/format.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/cpu/isa.h"
#include "core/error.h"
#include "core/parallel.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/limits.h"
#include "tools/rezero/run.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

// Variables that change what the program, OpenBLAS, gnuplot or the C library does. Names that end with _ are prefixes.
constexpr std::string_view variables[] = {"REZERO_",    "OPENBLAS_",       "GOTO_NUM_THREADS", "OMP_",       "MKL_",
                                          "LD_PRELOAD", "LD_LIBRARY_PATH", "CUDA_VISIBLE_",    "NO_COLOR",   "TERM",
                                          "COLUMNS",    "TMPDIR",          "GNUTERM",          "GDFONTPATH", "MALLOC_",
                                          "GLIBC_",     "ASAN_OPTIONS",    "TSAN_OPTIONS",     "CUDA_CACHE_"};
constexpr std::string_view locale_variables[] = {"LANG", "LANGUAGE", "LC_"};

std::string environment_text(std::span<const std::string_view> names, std::string_view none) {
  std::vector<std::string> found;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry, name = text.substr(0, text.find('='));
    if (std::ranges::any_of(names, [&](std::string_view wanted) {
          return wanted.ends_with('_') ? name.starts_with(wanted) : name == wanted;
        }))
      found.push_back(printable(text));
  }
  std::ranges::sort(found);
  return found.empty() ? std::string(none) : fmt::format("{}", fmt::join(found, ", "));
}

// What REZERO_ISA with a wrong value makes of it is a message.
template <class F>
std::string or_reason(F&& f) {
  try {
    return std::string(f());
  } catch (const Error& error) {
    return "unknown: " + printable(error.message());
  }
}

std::string operating_system() {
  std::string name = "unknown system";
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=")) name = line.substr(12);
  std::erase(name, '"');
  utsname kernel{};
  uname(&kernel);
  std::string text = fmt::format("{}, {} {} {}", printable(name), kernel.sysname, kernel.release, kernel.machine);
#ifdef __GLIBC__
  text += fmt::format(", glibc {}", gnu_get_libc_version());
#endif
  return text;
}

std::string cores_text() {
  const double limit = cgroup_cpu_limit();
  return fmt::format("{} of {} for this process, {} threads used; control group: {}", cores(),
                     sysconf(_SC_NPROCESSORS_ONLN), threads(),
                     limit > 0 ? fmt::format("the time of {:g} cores", limit) : "no limit");
}

std::string memory_text() {
  const auto bytes = [](std::int64_t n) { return n < 0 ? "unknown" : byte_text(static_cast<std::uint64_t>(n)); };
  const std::int64_t limit = cgroup_memory_limit();
  return fmt::format("{}, of it available {}; control group: {}", bytes(memory_field("MemTotal")),
                     bytes(memory_field("MemAvailable")), limit < 0 ? "no limit" : bytes(limit));
}

std::string file_system_name(long type) {
  constexpr struct {
    long type;
    const char* name;
  } known[] = {{0xEF53, "ext"},         {0x58465342, "xfs"}, {0x9123683E, "btrfs"}, {0x01021994, "tmpfs"},
               {0x794C7630, "overlay"}, {0x6969, "nfs"},     {0x2FC12FC1, "zfs"},   {0x65735546, "fuse"},
               {0x01021997, "9p"},      {0xFF534D42, "cifs"}};
  for (const auto& one : known)
    if (one.type == type) return one.name;
  return fmt::format("file system {:#x}", type);
}

// Of a folder, or of the nearest one above it that is there.
std::string disk_text(std::string_view folder) {
  const fs::path wanted = (fs::path(absolute(folder)) / ".").parent_path();  // without a slash at its end
  fs::path path = wanted;
  std::error_code ignored;
  while (path.has_relative_path() && !fs::is_directory(path, ignored)) path = path.parent_path();
  struct statfs status{};
  const std::string text = printable(wanted.string()) + ": " + (path == wanted ? "" : "is not there yet; ");
  if (statfs(path.c_str(), &status) != 0) return text + "unknown";
  const auto unit = static_cast<std::uint64_t>(status.f_bsize);
  return text + fmt::format("{} free of {}, {}, {}", byte_text(status.f_bavail * unit),
                            byte_text(status.f_blocks * unit), file_system_name(static_cast<long>(status.f_type)),
                            access(path.c_str(), W_OK) == 0 ? "writable" : "not writable");
}

std::string stream_text(Stream stream) {
  return is_terminal(stream) ? fmt::format("a terminal of {} columns", width(stream)) : "no terminal";
}

}  // namespace

std::vector<SystemLine> system_report(std::string_view runs) {
  return {{"operating system", operating_system()},
          {"processor", cpu_model()},
          {"instruction set", or_reason(cpu_isa)},
          {"BLAS", or_reason(blas_text)},
          {"cores", cores_text()},
          {"memory", memory_text()},
          {"limits", ulimit_text()},
          {"current folder", disk_text(".")},
          {"folder of runs", disk_text(runs)},
          {"locale", environment_text(locale_variables, "none is set (C)")},
          {"environment", environment_text(variables, "nothing that matters is set")},
          {"standard output", stream_text(Stream::output)}};
}

}  // namespace rz::tool
