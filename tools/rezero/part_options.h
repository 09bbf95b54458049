// Which part of a network a command analyses: --of stack|network, and of the stack --from and --to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/isometry/part.h"
#include "tools/rezero/network_inputs.h"

namespace CLI {
class App;
}

namespace rz::tool {

// Hidden states are counted: 0 is what the first layer reads, k what the k-th makes of it.
struct PartOptions {
  std::string of = "stack";
  std::optional<std::int64_t> from, to;
};
void add_part(CLI::App& command, PartOptions& options);
void check_part(const PartOptions& options);  // what needs no network.   Throws: UsageError

// The source must outlive the part.   Throws: UsageError (a hidden state that does not exist, a section without layers,
// one of a stack that is no chain; --of network of an encoder-decoder, which has two inputs)
isometry::Part part_of(const PartOptions& options, const Source& source);
// Batch norms with the statistics of the batch take all inputs for one batch.
void take_together(isometry::Part& part, const Inputs& inputs);

}  // namespace rz::tool
