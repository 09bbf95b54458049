// rezero doctor: this machine, and whether what the program stands on works here. A page for a bug report.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "tools/rezero/checks.h"
#include "tools/rezero/command.h"
#include "tools/rezero/run.h"
#include "tools/rezero/system_report.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

struct DoctorOptions {
  std::string runs = "runs";
  int threads = 0;
  bool json = false;
};

std::string page(const std::vector<SystemLine>& lines, const std::vector<Check>& checks) {
  std::string text = version_text() + "\n\n";
  for (const auto& [label, value] : lines) text += fmt::format("  {:<18}{}\n", label, value);
  text += "\nChecks\n";
  for (const Check& check : checks)
    text += fmt::format("  {:<8}{:<20}{}\n", name(check.status), check.name, check.text);
  return text;
}

std::string document(const std::vector<SystemLine>& lines, const std::vector<Check>& checks, int failed) {
  using Json = nlohmann::ordered_json;
  Json system, results = Json::array();
  for (const auto& [label, value] : lines) system[label] = value;
  for (const Check& check : checks) {
    Json one{{"name", check.name}, {"status", name(check.status)}, {"text", check.text}};
    if (!check.losses.empty()) one["losses"] = check.losses;
    if (!check.bits.empty()) one["bits"] = check.bits;
    results.push_back(std::move(one));
  }
  const Json json{{"version", version_text()}, {"system", system}, {"checks", results}, {"failed", failed}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int run(const DoctorOptions& options) {
  set_threads(options.threads);
  const bool waits = redraws(Stream::error);
  if (waits) say("a few seconds of tests ...");
  const std::vector<SystemLine> lines = system_report(options.runs);
  const std::vector<Check> checks = run_checks();
  if (waits) say("\r\033[K");
  const auto failed = static_cast<int>(std::ranges::count(checks, CheckStatus::failed, &Check::status));
  print(options.json ? document(lines, checks, failed) : page(lines, checks));
  if (failed > 0) say(fmt::format("rezero: doctor: {} of {} checks FAILED\n", failed, checks.size()));
  return failed > 0 ? exit_failure : exit_success;
}

}  // namespace

Command make_doctor(CLI::App& app) {
  const auto options = std::make_shared<DoctorOptions>();
  CLI::App* const command = app.add_subcommand("doctor", "Check this machine: a page for a bug report");
  command->footer(
      "Prints versions, machine, limits, disks and environment, then checks each with `passed` or `FAILED`: products\n"
      "of matrices, alone and on several threads at once, singular values, gnuplot, and about 10 s of training on\n"
      "drawn shapes whose losses are known. Writes no file and needs no recipe. Exit code 1 when a check failed.\n\n"
      "Example:\n"
      "  rezero doctor > doctor.txt");
  command->add_option("--runs", options->runs, "The folder whose disk is to be looked at")
      ->type_name("DIR")
      ->capture_default_str();
  add_json(*command, options->json);
  add_threads(*command, options->threads);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
