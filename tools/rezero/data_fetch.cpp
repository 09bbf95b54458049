// rezero data fetch: a published data set, downloaded, checked and unpacked.
#include <fmt/format.h>

#include "data/datasets.h"
#include "data/file.h"
#include "tools/rezero/command.h"
#include "tools/rezero/data_commands.h"
#include "tools/rezero/fetch.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {

int data_fetch(const DataFetchOptions& options) {
  if (options.name.empty()) throw UsageError("data fetch: no data set was named (rezero data fetch --help lists them)");
  const PublishedSet& set = published_set(options.name);
  const std::string folder = absolute(options.out.empty() ? options.name : options.out);
  const int fetched = fetch(set, {folder, options.url, options.timeout});
  std::string text =
      fmt::format("{}: {} in {}\n", set.name, fetched == 0 ? "is there already," : "is complete,", folder);
  for (const DatasetDescription& data : dataset_list())
    if (data.name == set.name)
      text += fmt::format("train on it: rezero train RECIPE.toml --set data.name={} --set data.path={}\n", set.name,
                          folder);
  print(text);
  return exit_success;
}

}  // namespace rz::tool
