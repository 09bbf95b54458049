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
struct DataFetchOptions {
  std::string name, out, url;  // out: empty: by the name; url: empty: the published address
  int timeout = 30;            // seconds
};
int data_fetch(const DataFetchOptions& options);  // Throws: file, UsageError
int data_show(const DataShowOptions& options);    // Throws: file, UsageError

}  // namespace rz::tool
