#include "tools/rezero/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace rz::tool {

void refuse(bool wrong, std::string_view flag, std::string_view why) {
  if (wrong) throw UsageError(fmt::format("{}: {}", flag, why));
}

void add_choice(CLI::App& command, const std::string& flag, std::string& value, const std::string& text,
                const std::vector<std::string>& names) {
  command.add_option(flag, value, text)
      ->type_name(fmt::format("{}", fmt::join(names, "|")))
      ->check(CLI::IsMember(names).description(""));
}

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
