// rezero doctor: the page and its checks.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "tools/rezero/limits.h"
#include "tools/rezero/reference_training.h"
#include "tools/rezero/self_test.h"
#include "tools/rezero/system_report.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

TEST_CASE("doctor: a page in a read-only folder, without a recipe [slow]") {
  const TemporaryFolder folder;
  REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
  const CommandResult text =
      run_command({"doctor"}, {.environment = {{"OPENBLAS_NUM_THREADS", "3"}}, .folder = folder.path()});
  REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
  CHECK(text.exit_code == 0);
  CHECK(text.error.empty());
  CHECK(mentions(text.out,
                 {"rezero 0.", "operating system", "processor", "BLAS", "cores", "memory", "stack", folder.path(),
                  "free of", "locale", "OPENBLAS_NUM_THREADS=3", "Checks", "passed  BLAS", "passed  BLAS, threads",
                  "gnuplot", "passed  training, f64", "passed  training, f32", "bit for bit"}));
}

TEST_CASE("doctor: what fails is a line of its page, and the exit code") {
  const CommandResult text = run_command({"doctor", "--json"}, {.environment = {{"REZERO_ISA", "avx1024"}}});
  CHECK(text.exit_code == 1);
  CHECK(mentions(text.error, {"rezero: doctor: 5 of 6 checks FAILED"}));
  const json r = json::parse(text.out);
  CHECK(r["failed"] == 5);
  CHECK(r["checks"][0]["status"] == "FAILED");
  CHECK(mentions(r["checks"][0]["text"], {"avx1024"}));
  CHECK(mentions(r["system"]["instruction set"], {"unknown", "avx1024"}));
  CHECK(run_command({"doctor", "recipe.toml"}).exit_code == 2);
}

TEST_CASE("doctor: the first steps of the training have the known losses, whatever the threads [threads]") {
  constexpr int steps = 20;
  const int before = threads();
  for (const DType precision : {DType::f32, DType::f64}) {
    set_threads(1);
    const std::vector<double> losses = tool::reference_losses(precision, steps);
    set_threads(3);
    CHECK(tool::reference_losses(precision, steps) == losses);
    const tool::LossComparison found = tool::compare_losses(precision, losses);
    CHECK_MESSAGE(found.close, "off by " << found.worst << " tolerances");
    if (found.bits_known && !found.bits_equal)
      MESSAGE("the bits of the reference training have changed; rows for its table: " << tool::bits_row(losses));
  }
  set_threads(before);
}

TEST_CASE("doctor: losses that are off are noticed") {
  std::vector<double> losses = tool::reference_losses(DType::f32, 20);
  losses[19] *= 1 + 2e-5;
  CHECK(!tool::compare_losses(DType::f32, losses).close);
  CHECK(!tool::compare_losses(DType::f32, losses).bits_equal);
  losses[19] = std::numeric_limits<double>::quiet_NaN();
  CHECK(!tool::compare_losses(DType::f32, losses).close);
  CHECK(!tool::compare_losses(DType::f64, losses).close);
}

TEST_CASE("doctor: products on several threads at once [threads]") {
  const int before = threads();
  const tool::SelfTest test = tool::concurrent_self_test();
  CHECK_MESSAGE(test.passed, test.failure);
  CHECK(test.products == 480);
  CHECK(threads() == before);
}

TEST_CASE("doctor: limits and folders") {
  CHECK(tool::memory_field("MemTotal") > 1 << 20);
  CHECK(tool::memory_field("Mem") == -1);
  CHECK(tool::cgroup_memory_limit() != 0);
  CHECK(mentions(tool::ulimit_text(), {"address space", "open files"}));
  std::string all;
  for (const auto& [label, value] : tool::system_report("/none/such")) all += label + ": " + value + "\n";
  CHECK(mentions(all, {"folder of runs: /none/such: is not there yet; ", " free of "}));
}
