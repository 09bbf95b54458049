// What `rezero spectrum` is asked, and the networks that it is asked of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/rezero/network_inputs.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/part_options.h"
#include "tools/rezero/source.h"

namespace rz::tool {

struct SpectrumOptions {
  SourceOptions source;
  InputOptions inputs;
  PartOptions part;
  std::string method, theory = "auto", precision = "f64", memory = "1GiB", picture = "histogram";
  std::optional<std::int64_t> seeds, top;
  std::vector<double> gates;
  std::vector<std::int64_t> depths;
  std::vector<std::string> beside;  // recipes
  std::string convolution, size;    // of one kernel; empty: not given
  OutputOptions output;
};
void add_spectrum(CLI::App& command, SpectrumOptions& options);
void check_spectrum(const SpectrumOptions& options);  // what needs no file.   Throws: UsageError

// One network of a series: --gates, --depths, --beside, --checkpoint all; a single one without a name else.
struct Variant {
  std::string key;   // "gate", "depth", "recipe", "step", or "" for a single one
  double value = 0;  // of recipes their place, from 0
  std::string name;  // the value as it is written: "0.1", "isometry12-rezero"
  SourceOptions source;
  std::string label() const { return key == "recipe" ? name : key + " " + name; }
};
std::vector<Variant> variants_of(const SpectrumOptions& options);  // Throws: file (a run without checkpoints)
// The steps of a run's checkpoints, ascending.   Throws: file (none: which setting makes them)
std::vector<std::int64_t> steps_of_run(const std::string& run);

}  // namespace rz::tool
