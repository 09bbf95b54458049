#include "tools/rezero/command.h"

#include <CLI/CLI.hpp>

namespace rz::tool {

void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads to compute with; 0 is one per core")
      ->type_name("N")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print the result as one JSON document");
}

}  // namespace rz::tool
