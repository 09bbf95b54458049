// The subcommands of `rezero theory`.
#pragma once

#include "tools/rezero/command.h"

namespace rz::tool {

Command make_theory_phase(CLI::App& theory);
Command make_theory_recommend(CLI::App& theory);

}  // namespace rz::tool
