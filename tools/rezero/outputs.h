// How an analysis is given out: text or --json on standard output, and the files of --csv, --npz, --svg, --png.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "data/named_tensor.h"

namespace CLI {
class App;
}

namespace rz::tool {

// An option that names a file to write; "-" is standard output, and help says so.
void add_file(CLI::App& command, const std::string& flag, std::string& path, const std::string& text,
              const std::string& name = "FILE");
// Throws now what writing a file later would; "" stands for none.   Throws: file, UsageError (two results on standard
// output, or under one name)
void check_files(bool json, std::initializer_list<std::string_view> files);

struct OutputOptions {
  bool json = false;
  std::string csv, npz, svg, png;  // files; empty: not asked for
  int threads = 0;
};
// --json, --csv, --npz, --svg, --png and --threads. `picture` says what is drawn, `table` what the files hold.
void add_outputs(CLI::App& command, OutputOptions& options, const std::string& table, const std::string& picture);
void check_outputs(const OutputOptions& options);  // check_files

// What an analysis can be written as; only what was asked for is made.
struct Outputs {
  std::function<std::string()> text, json, csv;
  std::function<std::vector<NamedTensor>()> arrays;
  std::function<std::string()> svg, png;
};
// Writes the files, then prints JSON or text with the files' names; nothing where a file is standard output itself.
void write_outputs(const OutputOptions& options, const Outputs& outputs);

}  // namespace rz::tool
