// What a bug report has to say of the machine and of this process's surroundings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rz::tool {

struct SystemLine {
  std::string label, value;
};

// Nothing here throws: what cannot be found out is said to be unknown. `runs` is the folder for runs; it need not be
// there.
std::vector<SystemLine> system_report(std::string_view runs);

}  // namespace rz::tool
