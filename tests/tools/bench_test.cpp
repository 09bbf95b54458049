// rezero bench: that the numbers are there and fit each other; how large they are is not tested.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/backend.h"
#include "support/close.h"
#include "support/command.h"
#include "support/sanitizers.h"

using namespace rz::test;
using nlohmann::json;

namespace {

json bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "bench");
  arguments.emplace_back("--json");
  const CommandResult result = run_command(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return json::parse(result.out);
}

void check_bench_error(const std::vector<std::string>& arguments, const std::vector<std::string>& parts) {
  check_refused(arguments, 2, parts);
}

}  // namespace

TEST_CASE("bench: a training step") {
  const json r = bench({"fc", "--depth", "4", "--width", "32", "--batch", "16", "--steps", "5"});
  CHECK(r["workload"] == "fc");
  CHECK(r["depth"] == 4);
  CHECK(r["steps"] == 5);
  CHECK(r["parameters"] == 3072 * 32 + 32 + 4 * (32 * 32 + 32) + 4 + 320 + 10);
  CHECK(r["min_ms"].get<double>() > 0);
  CHECK(r["min_ms"] <= r["median_ms"]);
  CHECK(r["median_ms"] <= r["p90_ms"]);
  const double flops = 2.0 * 16 * (2 * 3072 * 32 + 3 * (4 * 32 * 32 + 320));
  CHECK(close(r["gflops"].get<double>() * 1e6 * r["median_ms"].get<double>() / flops, 1, 1e-9));
  CHECK(close(r["fraction_of_peak"].get<double>(), r["gflops"].get<double>() / r["peak_gflops"].get<double>(), 1e-12));
  CHECK(r["peak_bytes"] > 4 * 3 * 100000);  // values, gradients, sums
  CHECK(r["tensor_allocations_per_step"].is_number());
#if !RZ_ADDRESS_SANITIZER && !RZ_THREAD_SANITIZER
  CHECK(r["tensor_allocations_per_step"] == 0);
  const bool fused = rz::backend(rz::Device::cpu()).fuses_residual_stack(16, 32, rz::DType::f32);
  CHECK(r["operations_per_step"] == 1 + (fused ? 1 : 2 * 4) + 1 + 1);
  CHECK(r["heap_allocations_per_step"] <= 24);  // of any depth
#endif
}

TEST_CASE("bench: every form, one thread, and text for people") {
  for (const char* form : {"deep", "residual", "deep_layer_norm", "pre_norm", "post_norm", "rezero_one"})
    CHECK(bench({"fc", "--depth", "2", "--width", "8", "--batch", "4", "--steps", "1", "--form", form})["form"] ==
          form);
  const CommandResult text =
      run_command({"bench", "fc", "--depth", "2", "--width", "8", "--batch", "4", "--steps", "2", "--threads", "1"});
  CHECK(mentions(text.out, {"Training step", "depth 2", "threads: 1", "median", "GFLOP/s", "% of the FMA peak",
                            "heap allocations"}));
}

TEST_CASE("bench: a Jacobian and its singular values") {
  const json r = bench({"jacobian", "--depth", "3", "--width", "16", "--steps", "3"});
  CHECK(r["workload"] == "jacobian");
  CHECK(r["svd_median_ms"].get<double>() > 0);
  CHECK(r["total_median_ms"] >= r["min_ms"]);
  CHECK(mentions(run_command({"bench", "jacobian", "--depth", "3", "--width", "16", "--steps", "3"}).out,
                 {"16 x 16", "singular values"}));
}

TEST_CASE("bench: updates of every rule") {
  for (const char* rule : {"sgd", "adagrad", "rmsprop", "adam", "adamw", "lamb", "lion", "muon"}) {
    const json r = bench({"optimizer", "--name", rule, "--parameters", "3000", "--steps", "2"});
    CHECK(r["name"] == rule);
    CHECK(r["gb_per_s"].get<double>() > 0);
    CHECK(close(
        r["fraction_of_bandwidth"].get<double>() * r["bandwidth_gb_per_s"].get<double>() / r["gb_per_s"].get<double>(),
        1, 1e-12));
  }
  CHECK(bench({"optimizer", "--parameters", "3000", "--steps", "2"})["bytes_per_step"] == 3000 * 4 * 8);
  CHECK(mentions(run_command({"bench", "optimizer", "--parameters", "2000000", "--steps", "1"}).out,
                 {"Update by adam of 2,000,000 weights", "median", "GB/s", "of an update in place"}));
}

TEST_CASE("bench: updates that fit the cache say so") {
  const bool known = std::max(sysconf(_SC_LEVEL2_CACHE_SIZE), sysconf(_SC_LEVEL3_CACHE_SIZE)) >= 1000 * 4 * 4;
  const std::vector<std::string> few{"bench", "optimizer", "--parameters", "1000", "--steps", "1"};
  CHECK((run_command(few).out.find("fit the cache") != std::string::npos) == known);
  CHECK(bench({"optimizer", "--parameters", "1000", "--steps", "1"})["fits_cache"] == known);
}

TEST_CASE("bench: what the machine can do [slow]") {
  const json r = bench({"machine", "--threads", "2"});
  CHECK(r["threads"] == json{1, 2});
  for (const char* type : {"f32", "f64"}) CHECK(r["fma_peak_gflops"][type][0].get<double>() > 0.1);
  CHECK(r["bandwidth_gb_per_s"]["read_memory"].size() == 2);
  CHECK(r["gemm"].size() >= 8);
  for (const json& product : r["gemm"]) CHECK(product["gflops"][1].get<double>() > 0);
  CHECK(mentions(run_command({"bench", "machine", "--threads", "1"}).out,
                 {"1 thread", "FMA peak, f32", "gemm f32 nt 128x256x256"}));
}

TEST_CASE("bench: wrong usage") {
  check_bench_error({"bench"}, {"bench"});
  check_bench_error({"bench", "fv"}, {"fv"});
  check_bench_error({"bench", "fc", "--depth", "0"}, {"--depth"});
  check_bench_error({"bench", "fc", "--steps", "many"}, {"--steps"});
  check_bench_error({"bench", "fc", "--form", "rezro"}, {"form", "rezro", "rezero"});
  check_bench_error({"bench", "machine", "--depth", "3"}, {"--depth"});
  check_bench_error({"bench", "optimizer", "--name", "adm"}, {"--name"});
  check_bench_error({"bench", "optimizer", "--depth", "3"}, {"--depth"});
  CHECK(run_command({"bench", "jacobian", "--depth", "1", "--width", "2", "--steps", "1"}, {"/dev/full", {}, {}})
            .exit_code == 1);
}
