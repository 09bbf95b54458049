#include "tools/rezero/outputs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {

void add_outputs(CLI::App& command, OutputOptions& options, const std::string& table, const std::string& picture) {
  add_json(command, options.json);
  command.add_option("--csv", options.csv, table + " as a table")->type_name("FILE");
  command.add_option("--npz", options.npz, table + " as NumPy arrays")->type_name("FILE");
  command.add_option("--svg", options.svg, picture)->type_name("FILE");
  command.add_option("--png", options.png, "The same as PNG")->type_name("FILE");
  add_threads(command, options.threads);
}

void check_outputs(const OutputOptions& options) {
  std::vector<std::string> seen;
  for (const std::string& path : {options.csv, options.npz, options.svg, options.png}) {
    if (path.empty()) continue;
    const std::string full = absolute(path);
    const bool device = full.starts_with("/dev/");
    if (!device && std::ranges::find(seen, full) != seen.end())
      throw UsageError(fmt::format("{}: two files would be written under this name", printable(path)));
    seen.push_back(full);
    check_target(path);
  }
}

void write_outputs(const OutputOptions& options, const Outputs& outputs) {
  if (!options.csv.empty()) write_atomically(options.csv, outputs.csv());
  if (!options.npz.empty()) save_npz(options.npz, outputs.arrays());
  if (!options.svg.empty()) write_atomically(options.svg, outputs.svg());
  if (!options.png.empty()) write_atomically(options.png, outputs.png());
  if (takes_standard_output({options.csv, options.npz, options.svg, options.png})) return;
  print(options.json ? outputs.json() : outputs.text());
  for (const std::string& path : {options.csv, options.npz, options.svg, options.png})
    if (!path.empty() && !options.json) print(fmt::format("written: {}\n", absolute(path)));
}

}  // namespace rz::tool
