#include "tools/rezero/outputs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {

void add_file(CLI::App& command, const std::string& flag, std::string& path, const std::string& text,
              const std::string& name) {
  command.add_option(flag, path, text)->type_name(name + "|-")->transform([](const std::string& given) {
    return given == "-" ? "/dev/stdout" : given;
  });
}

void check_files(bool json, std::initializer_list<std::string_view> files) {
  std::vector<std::string> seen;
  bool standard_output = json;
  for (const std::string_view path : files) {
    if (path.empty()) continue;
    const std::string full = absolute(path);
    const bool device = full.starts_with("/dev/");
    if (!device && std::ranges::find(seen, full) != seen.end())
      throw UsageError(fmt::format("{}: two files would be written under this name", printable(path)));
    seen.push_back(full);
    if (takes_standard_output({path}) && std::exchange(standard_output, true))
      throw UsageError("standard output: takes one result, but two were asked for (name a file)");
    check_target(path);
  }
}

void add_outputs(CLI::App& command, OutputOptions& options, const std::string& table, const std::string& picture) {
  add_json(command, options.json);
  add_file(command, "--csv", options.csv, table + " as a table");
  add_file(command, "--npz", options.npz, table + " as NumPy arrays");
  add_file(command, "--svg", options.svg, picture);
  add_file(command, "--png", options.png, "The same as PNG");
  add_threads(command, options.threads);
}

void check_outputs(const OutputOptions& options) {
  check_files(options.json, {options.csv, options.npz, options.svg, options.png});
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
