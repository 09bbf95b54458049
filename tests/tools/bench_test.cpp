// rezero bench: that the numbers are there and fit each other; how large they are is not tested.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/backend.h"
#include "support/close.h"
#include "support/command.h"
#include "support/sanitizers.h"
#include "support/temporary_folder.h"

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

// That each is a positive number with its spread, of the unit and on the threads that were asked for.
void check_measurements(const json& document, const std::vector<std::string>& names, int threads,
                        const std::string& unit = "ms") {
  CHECK(document["machine"].get<std::string>().starts_with("threads: "));
  REQUIRE(document["measurements"].size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const json& m = document["measurements"][i];
    CHECK(m["name"] == names[i]);
    CHECK(m["threads"] == threads);
    CHECK(m["unit"] == unit);
    CHECK(0 < m["low"].get<double>());
    CHECK(m["low"] <= m["median"]);
    CHECK(m["median"] <= m["high"]);
  }
}

std::ptrdiff_t longest_line(const std::string& text) {
  std::ptrdiff_t longest = 0;
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find(begin, text.end(), '\n');
    longest = std::max(longest, end - begin);
    begin = end == text.end() ? end : end + 1;
  }
  return longest;
}

json measurement(const std::string& name, double median, double spread, const std::string& unit = "GB/s",
                 int threads = 1) {
  return {{"name", name},     {"threads", threads},     {"unit", unit},
          {"median", median}, {"low", median - spread}, {"high", median + spread}};
}

// A document as `--out` writes it.
std::string document_of(const TemporaryFolder& folder, const std::string& name, const std::vector<json>& measurements,
                        const std::string& machine = "threads: 2 of 2 cores") {
  write_file(folder / name, json{{"machine", machine}, {"measurements", measurements}}.dump());
  return folder / name;
}

void check_bench_error(const std::vector<std::string>& arguments, const std::vector<std::string>& parts) {
  check_refused(arguments, 2, parts);
}

}  // namespace

TEST_CASE("bench: a training step") {
  const json r = bench({"fc", "--depth", "4", "--width", "32", "--batch", "16", "--steps", "5", "--threads", "2"});
  check_measurements(r, {"fc rezero 4x32 batch 16 f32"}, 2);
  CHECK(r["measurements"][0]["median"] == r["median_ms"]);
  CHECK(r["measurements"][0]["high"] == r["p90_ms"]);
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

TEST_CASE("bench: a training step of a ResNet [slow]") {
  const Arguments small{"resnet", "--layers", "8", "--batch", "4"};
  const json r = bench(small + Arguments{"--steps", "3", "--threads", "2"});
  check_measurements(r, {"resnet rezero 8 batch 4 f32"}, 2);
  CHECK(r["workload"] == "resnet");
  CHECK(r["recomputed_blocks"] == 0);
  const double first = 32 * 32 * 16 * 9 * (3 + 2 * 16), second = 16 * 16 * 32 * 9 * (16 + 32),
               third = 8 * 8 * 64 * 9 * (32 + 64);
  CHECK(close(
      r["gflops"].get<double>() * 1e6 * r["median_ms"].get<double>() / (2.0 * 3 * 4 * (first + second + third + 640)),
      1, 1e-9));
#if !RZ_ADDRESS_SANITIZER && !RZ_THREAD_SANITIZER
  CHECK(r["tensor_allocations_per_step"] == 0);
#endif
  const Arguments deeper{"resnet", "--layers", "20", "--batch", "4", "--steps", "1"};
  const json tight = bench(deeper + Arguments{"--memory", "13MB"});
  CHECK(tight["recomputed_blocks"] > 0);
  CHECK(tight["peak_bytes"] < bench(deeper)["peak_bytes"]);
  check_bench_error({"bench", "resnet", "--layers", "21"}, {"21 layers", "6 n + 2"});
}

TEST_CASE("bench: a training step of a Transformer") {
  const Arguments tiny{"transformer",    "--layers", "2",         "--d-model", "16",      "--heads", "2",
                       "--feed-forward", "32",       "--context", "8",         "--batch", "3"};
  const json r = bench(tiny + Arguments{"--steps", "3", "--threads", "2"});
  check_measurements(r, {"transformer rezero 2x16 heads 2 feed-forward 32 tokens 3x8 f32"}, 2);
  CHECK(r["workload"] == "transformer");
  CHECK(r["feed_forward"] == 32);
  CHECK(r["form"] == "rezero");
  const int matrices = 4 * 16 * 16 + 2 * 16 * 32, biases = 4 * 16 + 32 + 16, gates = 1;
  CHECK(r["parameters"] == 256 * 16 + 8 * 16 + 2 * (matrices + biases + gates) + 256 * 16 + 256);
  const double pairs = 8 * 9 / 2;  // that see each other, of a sequence
  const double flops = 2.0 * 3 * (3 * 8 * (2 * matrices + 256 * 16) + 6 * 2 * pairs * 16);
  CHECK(close(r["gflops"].get<double>() * 1e6 * r["median_ms"].get<double>() / flops, 1, 1e-9));
  CHECK(close(r["tokens_per_second"].get<double>() * r["median_ms"].get<double>(), 1e3 * 3 * 8, 1e-6));
#if !RZ_ADDRESS_SANITIZER && !RZ_THREAD_SANITIZER
  CHECK(r["tensor_allocations_per_step"] == 0);
#endif
  CHECK(bench(tiny + Arguments{"--steps", "1", "--form", "pre_norm"})["form"] == "pre_norm");
  Arguments words{"bench"};
  CHECK(mentions(run_command(words + tiny + Arguments{"--steps", "1"}).out,
                 {"2 layers", "d_model 16", "3 x 8 tokens", "Adam", "per second", "% of the FMA peak"}));
  check_bench_error({"bench", "transformer", "--heads", "3"}, {"3 heads", "divide", "512"});
  check_bench_error({"bench", "transformer", "--form", "rezro"}, {"form", "rezro", "rezero"});
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

TEST_CASE("bench: a training step in another precision, where there is one") {
  const Arguments small{"fc", "--depth", "2", "--width", "32", "--batch", "16", "--steps", "2", "--precision", "bf16"};
  if (rz::backend(rz::Device::cpu()).missing_for(rz::ProductPrecision::bf16).empty()) {
    const json r = bench(small);
    CHECK(r["precision"] == "bf16");
    CHECK(r["measurements"][0]["name"] == "fc rezero 2x32 batch 16 bf16");
  } else {
    check_bench_error(Arguments{"bench"} + small, {"--precision", "bf16", "cannot be had"});
  }
}

TEST_CASE("bench: a Jacobian and its singular values") {
  const json r = bench({"jacobian", "--depth", "3", "--width", "16", "--steps", "3", "--threads", "1"});
  check_measurements(r, {"jacobian 3x16 f64", "jacobian 3x16 f64: svdvals", "jacobian 3x16 f64: both"}, 1);
  CHECK(r["workload"] == "jacobian");
  CHECK(r["svd_median_ms"].get<double>() > 0);
  CHECK(r["total_median_ms"] >= r["min_ms"]);
  CHECK(mentions(run_command({"bench", "jacobian", "--depth", "3", "--width", "16", "--steps", "3"}).out,
                 {"16 x 16", "singular values"}));
}

TEST_CASE("bench: updates of every rule") {
  for (const char* rule : {"sgd", "adagrad", "rmsprop", "adam", "adamw", "lamb", "lion", "muon"}) {
    const json r = bench({"optimizer", "--name", rule, "--parameters", "3000", "--steps", "2", "--threads", "2"});
    check_measurements(r, {std::string(rule) + " of 3000 f32"}, 2, "GB/s");
    CHECK(close(r["measurements"][0]["median"].get<double>(), r["gb_per_s"].get<double>(), 1e-12));
    CHECK(r["measurements"][0]["roof"] == r["bandwidth_gb_per_s"]);
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
  std::map<std::string, std::vector<json>> by_name;
  for (const json& m : r["measurements"]) {
    CAPTURE(m.dump());
    CHECK(0 < m["low"].get<double>());
    CHECK(m["low"] <= m["median"]);
    CHECK(m["median"] <= m["high"]);
    if (m["name"] == "fork-join") {  // of more than one thread, and against no roof
      CHECK(m["threads"] == 2);
      CHECK(m["unit"] == "us");
      continue;
    }
    CHECK(0 < m["roof"].get<double>());
    by_name[m["name"]].push_back(m);
  }
  for (const auto& [name, columns] : by_name) {
    CAPTURE(name);
    REQUIRE(columns.size() == 2);
    CHECK(columns[0]["threads"] == 1);
    CHECK(columns[1]["threads"] == 2);
    CHECK(columns[0]["unit"] == (name.starts_with("gemm") || name.starts_with("FMA") ? "GFLOP/s" : "GB/s"));
  }
  for (const char* name : {"residual_add f32", "residual_add_vjp f32", "relu f32", "relu_vjp f32", "tanh f32",
                           "gelu f32", "softmax_cross_entropy f32", "layer_norm f32", "transpose f32", "adagrad f32",
                           "adam f32", "sum_of_squares f32", "adagrad f32 256 MiB", "adam f32 256 MiB"})
    CHECK(by_name.contains(name));
  // A roof is the best that was measured, and that of the kernels it bounds.
  CHECK(r["measurements"].back()["name"] == "fork-join");
  const json& peak = by_name.at("FMA peak f32")[1];
  CHECK(peak["high"] <= peak["roof"]);
  CHECK(peak["roof"] == r["fma_peak_gflops"]["f32"][1]);
  CHECK(by_name.at("gemm f32 nt 128x256x256")[1]["roof"] == peak["roof"]);
  CHECK(by_name.at("adam f32")[0]["roof"] == r["bandwidth_gb_per_s"]["update_cache"][0]);
  CHECK(by_name.at("sum_of_squares f32")[0]["roof"] == r["bandwidth_gb_per_s"]["read_cache"][0]);
  CHECK(by_name.at("adam f32 256 MiB")[0]["roof"] == r["bandwidth_gb_per_s"]["update_memory"][0]);
}

TEST_CASE("bench: what the machine can do, as text [slow]") {
  const std::string text = run_command({"bench", "machine", "--threads", "1"}).out;
  CHECK(mentions(text, {"roof", "1 thread", "FMA peak f32", "update in place, 256 MiB", "kernel", "unit", "1 thread",
                        "gemm f32 nt 128x256x256", "GFLOP/s", "%)", "layer_norm f32", "GB/s", "%)", "adam f32"}));
  CHECK(longest_line(text) <= 100);
}

TEST_CASE("bench: --out keeps the document beside the text, or in place of it") {
  const TemporaryFolder folder;
  const Arguments tiny{"bench", "fc", "--depth", "1", "--width", "4", "--batch", "2", "--steps", "3", "--threads", "1"};
  const CommandResult result = run_command(tiny + Arguments{"--out", folder / "fc.json"});
  CHECK(result.exit_code == 0);
  CHECK(mentions(result.out, {"Training step", "median", "written: ", "fc.json"}));
  check_measurements(json::parse(contents(folder / "fc.json")), {"fc rezero 1x4 batch 2 f32"}, 1);
  const CommandResult both = run_command(tiny + Arguments{"--json", "--out", folder / "fc.json"});
  CHECK(both.out == contents(folder / "fc.json"));
  CHECK(json::parse(run_command(tiny + Arguments{"--out", "-"}).out)["workload"] == "fc");
  CHECK(folder.names() == std::vector<std::string>{"fc.json"});
  check_refused(tiny + Arguments{"--out", folder / "missing/fc.json"}, 1, {"missing/fc.json", "No such file"});
  check_refused(tiny + Arguments{"--out", folder.path()}, 1, {folder.path(), "directory"});
  check_refused(tiny + Arguments{"--json", "--out", "-"}, 2, {"standard output"});
}

TEST_CASE("bench compare: faster and slower beyond the spread, and within it") {
  const TemporaryFolder folder;
  const std::string old_file =
      document_of(folder, "old.json",
                  {measurement("tanh f32", 10, 1), measurement("relu f32", 10, 1), measurement("adam f32", 10, 1),
                   measurement("fc", 20, 2, "ms", 2), measurement("jacobian", 20, 2, "ms", 2)});
  const std::string new_file =
      document_of(folder, "new.json",
                  {measurement("tanh f32", 20, 2), measurement("relu f32", 5, 1), measurement("adam f32", 9, 1),
                   measurement("fc", 10, 2, "ms", 2), measurement("jacobian", 30, 2, "ms", 2)});
  const CommandResult result = run_command({"bench", "compare", old_file, new_file});
  CHECK(result.exit_code == 1);  // something is slower
  CHECK(result.error.empty());
  CHECK(mentions(result.out, {"old: ",
                              "old.json",
                              "new: ",
                              "new.json",
                              "1 thread",
                              "unit",
                              "old",
                              "new",
                              "change",
                              "tanh f32",
                              "GB/s",
                              "10.0 [9.00, 11.0]",
                              "20.0 [18.0, 22.0]",
                              "2.00x faster *\n",
                              "relu f32",
                              "2.00x slower *\n",
                              "adam f32",
                              "1.11x slower\n",
                              "2 threads",
                              "fc",
                              "ms",
                              "2.00x faster *\n",
                              "jacobian",
                              "1.50x slower *\n",
                              "2 slower, 2 faster",
                              "Within it: 1"}));
  CHECK(result.out.find("differ") == std::string::npos);
  CHECK(result.out.find("Only in") == std::string::npos);
  CHECK(longest_line(result.out) <= 100 + static_cast<std::ptrdiff_t>(folder.path().size()));
  const json r = json::parse(run_command({"bench", "compare", old_file, new_file, "--json"}).out);
  CHECK(r["slower"] == 2);
  CHECK(r["faster"] == 2);
  const std::vector<std::string> changes{"faster", "slower", "within_spread", "faster", "slower"};
  const std::vector<double> speed_ups{2, 0.5, 0.9, 2, 2.0 / 3};
  REQUIRE(r["compared"].size() == changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CHECK(r["compared"][i]["change"] == changes[i]);
    CHECK(close(r["compared"][i]["speed_up"].get<double>(), speed_ups[i], 1e-12));
  }
  CHECK(r["compared"][0]["old"] == json{{"median", 10.0}, {"low", 9.0}, {"high", 11.0}});
  // The same file, and faster alone: 0.
  CHECK(run_command({"bench", "compare", old_file, old_file}).exit_code == 0);
  const std::string faster = document_of(folder, "faster.json", {measurement("tanh f32", 20, 2)});
  CHECK(run_command({"bench", "compare", old_file, faster}).exit_code == 0);
}

TEST_CASE("bench compare: single runs, what one file alone has, other machines and threads") {
  const TemporaryFolder folder;
  const std::string old_file =
      document_of(folder, "old.json", {measurement("phase", 400, 0, "ms"), measurement("tanh f32", 10, 1)});
  const std::string new_file =
      document_of(folder, "new.json", {measurement("phase", 800, 0, "ms"), measurement("tanh f32", 5, 1, "GB/s", 4)},
                  "threads: 4 of 8 cores");
  const CommandResult result = run_command({"bench", "compare", old_file, new_file});
  CHECK(result.exit_code == 0);  // nothing is known of the spread of a single run
  CHECK(mentions(result.out, {"machines differ", "old: threads: 2 of 2", "new: threads: 4 of 8", "threads differ",
                              "old: 1\n", "new: 1, 4\n", "phase", "400.0 ", "800.0 ", "2.00x slower\n",
                              "Only in the old", "tanh f32, 1 thread: 10.0 [9.00, 11.0] GB/s", "Only in the new",
                              "tanh f32, 4 threads: 5.00 [4.00, 6.00] GB/s", "0 slower, 0 faster"}));
  const json r = json::parse(run_command({"bench", "compare", old_file, new_file, "--json"}).out);
  CHECK(r["old"]["unmatched"][0] == json{{"name", "tanh f32"}, {"threads", 1}, {"unit", "GB/s"}});
  CHECK(r["new"]["unmatched"][0]["threads"] == 4);
  CHECK(r["new"]["machine"] == "threads: 4 of 8 cores");
}

TEST_CASE("bench compare: what the benchmarks themselves wrote") {
  const TemporaryFolder folder;
  for (const char* name : {"old.json", "new.json"})
    run_command({"bench", "jacobian", "--depth", "1", "--width", "4", "--steps", "3", "--out", folder / name});
  const json r = json::parse(run_command({"bench", "compare", folder / "old.json", folder / "new.json", "--json"}).out);
  CHECK(r["compared"].size() == 3);
  CHECK(r["old"]["unmatched"].empty());
}

TEST_CASE("bench compare: files that hold no measurements") {
  const TemporaryFolder folder;
  const std::string good = document_of(folder, "good.json", {measurement("tanh f32", 10, 1)});
  const auto check_bad = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    write_file(folder / "bad.json", bytes);
    check_refused({"bench", "compare", good, folder / "bad.json"}, 1, parts);
    check_refused({"bench", "compare", folder / "bad.json", good, "--json"}, 1, parts);
  };
  for (const char* bytes : {"", "median 3", "{\"measurements\": [", "\xff"})
    check_bad(bytes, {"bad.json", "is not JSON"});
  for (const char* bytes : {"{}", "[]", "3", "null", "{\"measurements\": []}"})
    check_bad(bytes, {"bad.json", "holds no measurements", "--out"});
  for (const char* bytes : {"{\"measurements\": 3}", "{\"measurements\": [3]}", "{\"measurements\": [{}]}",
                            "{\"machine\": 3, \"measurements\": [{}]}"})
    check_bad(bytes, {"bad.json", "cannot be understood"});
  for (const char* field : {"low", "median", "high"}) {
    json wrong = measurement("tanh f32", 10, 1);
    wrong[field] = field == std::string("high") ? 1 : -1;
    check_bad(json{{"measurements", json::array({wrong})}}.dump(),
              {"bad.json", "cannot be understood", "tanh f32", "in this order"});
  }
  check_refused({"bench", "compare", good, folder / "missing.json"}, 1, {"missing.json", "No such file"});
  check_refused({"bench", "compare", folder.path(), good}, 1, {folder.path(), "directory"});
  check_bench_error({"bench", "compare", good}, {"new", "required"});
  check_bench_error({"bench", "compare", good, good, good}, {"bench compare", "not expected"});
}

TEST_CASE("bench: wrong usage") {
  check_bench_error({"bench"}, {"bench"});
  check_bench_error({"bench", "fv"}, {"fv"});
  check_bench_error({"bench", "fc", "--depth", "0"}, {"--depth"});
  check_bench_error({"bench", "fc", "--steps", "many"}, {"--steps"});
  check_bench_error({"bench", "fc", "--form", "rezro"}, {"form", "rezro", "rezero"});
  check_bench_error({"bench", "compare"}, {"old", "required"});
  check_bench_error({"bench", "machine", "--depth", "3"}, {"--depth"});
  check_bench_error({"bench", "optimizer", "--name", "adm"}, {"--name"});
  check_bench_error({"bench", "optimizer", "--depth", "3"}, {"--depth"});
  CHECK(run_command({"bench", "jacobian", "--depth", "1", "--width", "2", "--steps", "1"}, {"/dev/full", {}, {}})
            .exit_code == 1);
}
