#include "tools/rezero/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <vector>

#include "data/text.h"

namespace rz::tool {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::int64_t number_in(const std::string& text) {  // -1: it is none ("max")
  std::int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Paths of `file` in this process's group of a controller and in all above it. Version 2 has one group, with no name
// of a controller; within a container the path may not exist there, but the root of what is mounted does.
std::vector<std::string> cgroup_files(const std::string& controller, const std::string& file) {
  std::ifstream groups("/proc/self/cgroup");
  std::vector<std::string> paths;
  for (std::string line; std::getline(groups, line);) {  // "4:memory:/a/b", or "0::/a/b"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (("," + names + ",").find("," + controller + ",") == std::string::npos) continue;
    const std::string root = controller.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
    for (std::string group = line.substr(second + 1);; group.resize(group.rfind('/'))) {
      paths.push_back(root + (group == "/" ? "" : group) + "/" + file);
      if (group.rfind('/') == std::string::npos) break;
    }
  }
  return paths;
}

std::string limit_text(int resource, bool bytes) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return "unknown";
  if (limit.rlim_cur == RLIM_INFINITY) return "none";
  return bytes ? byte_text(limit.rlim_cur) : grouped(limit.rlim_cur);
}

}  // namespace

std::int64_t cgroup_memory_limit() {
  constexpr std::int64_t no_limit = std::int64_t{1} << 60;  // version 1 writes nearly 2^63
  std::int64_t least = no_limit;
  std::vector<std::string> files = cgroup_files("", "memory.max");
  for (std::string& file : cgroup_files("memory", "memory.limit_in_bytes")) files.push_back(std::move(file));
  for (const std::string& file : files)
    if (const std::int64_t bytes = number_in(first_line(file)); bytes >= 0 && bytes < least) least = bytes;
  return least == no_limit ? -1 : least;
}

double cgroup_cpu_limit() {
  double least = 0;
  const auto take = [&](std::int64_t quota, std::int64_t period) {
    if (quota <= 0 || period <= 0) return;
    const double share = static_cast<double>(quota) / static_cast<double>(period);
    if (least == 0 || share < least) least = share;
  };
  for (const std::string& file : cgroup_files("", "cpu.max")) {  // "200000 100000" or "max 100000"
    std::istringstream words(first_line(file));
    std::string quota, period;
    words >> quota >> period;
    take(number_in(quota), number_in(period));
  }
  const std::vector<std::string> quotas = cgroup_files("cpu", "cpu.cfs_quota_us"),
                                 periods = cgroup_files("cpu", "cpu.cfs_period_us");
  for (std::size_t k = 0; k < quotas.size(); ++k)
    take(number_in(first_line(quotas[k])), number_in(first_line(periods[k])));
  return least;
}

std::string ulimit_text() {
  return fmt::format("address space {}, data {}, stack {}, file size {}, open files {}", limit_text(RLIMIT_AS, true),
                     limit_text(RLIMIT_DATA, true), limit_text(RLIMIT_STACK, true), limit_text(RLIMIT_FSIZE, true),
                     limit_text(RLIMIT_NOFILE, false));
}

std::int64_t memory_field(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {  // "MemTotal:       24643700 kB"
    if (!line.starts_with(name + ":")) continue;
    const std::size_t digit = line.find_first_of("0123456789");
    const std::int64_t kib = digit == std::string::npos ? -1 : number_in(line.substr(digit));
    return kib < 0 ? -1 : kib * 1024;
  }
  return -1;
}

}  // namespace rz::tool
