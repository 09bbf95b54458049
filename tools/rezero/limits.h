// What a process may use: memory and processor time by control group, limits of the shell (ulimit).
#pragma once

#include <cstdint>
#include <string>

namespace rz::tool {

// The least limit of the control group and those above it (version 1 or 2), in bytes; -1: none.
std::int64_t cgroup_memory_limit();
// Cores' worth of processor time; 0: no limit.
double cgroup_cpu_limit();
// "address space none, data none, stack 8.39 MB, file size none, open files 1,024"
std::string ulimit_text();
// A field of /proc/meminfo such as "MemTotal" in bytes; -1: unknown.
std::int64_t memory_field(const std::string& name);

}  // namespace rz::tool
