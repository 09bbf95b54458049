// The subcommands of `rezero data`.
#pragma once

#include <string>
#include <vector>

namespace rz::tool {

struct DataShowOptions {
  std::string name, path, out;  // path, out: empty: by the name
  std::vector<std::string> settings;
  bool json = false;
};
int data_show(const DataShowOptions& options);  // Throws: file, UsageError

}  // namespace rz::tool
