#include "tools/rezero/part_options.h"

#include <CLI/CLI.hpp>

#include "nn/models/seq2seq.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

void add_state(CLI::App& command, const std::string& flag, std::optional<std::int64_t>& value,
               const std::string& text) {
  command.add_option(flag, value, text)
      ->type_name("L")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""));
}

}  // namespace

void add_part(CLI::App& command, PartOptions& o) {
  add_choice(command, "--of", o.of, "Which map: stack (default) or network", {"stack", "network"});
  add_state(
      command, "--from", o.from,
      "Of the stack: from this hidden state (default 0, what the first layer reads;\nk: what the k-th makes) ...");
  add_state(command, "--to", o.to, "... to this one (default: the last)");
}

void check_part(const PartOptions& o) {
  refuse(o.of != "stack" && o.from, "--from", "belongs to --of stack");
  refuse(o.of != "stack" && o.to, "--to", "belongs to --of stack");
}

isometry::Part part_of(const PartOptions& o, const Source& source) {
  const nn::Model& model = *source.model;
  refuse(o.of == "network" && dynamic_cast<const nn::Seq2Seq*>(&model), "--of",
         "an encoder-decoder has no single input; its stack is the encoder's (--of stack)");
  isometry::Part part = checked_usage("--from, --to", [&] {
    return o.of == "stack" ? isometry::stack_part(model, o.from, o.to) : isometry::network_part(model);
  });
  part.statistics = source.statistics;
  return part;
}

void take_together(isometry::Part& part, const Inputs& inputs) {
  if (part.statistics == "batch") part.batch = inputs.values.shape()[0];
}

}  // namespace rz::tool
