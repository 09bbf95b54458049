#include "tools/rezero/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "core/cpu/isa.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/parallel.h"
#include "data/text.h"
#include "tools/report/gnuplot.h"
#include "tools/rezero/reference_training.h"
#include "tools/rezero/run.h"
#include "tools/rezero/self_test.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

CheckStatus passed_if(bool good) { return good ? CheckStatus::passed : CheckStatus::failed; }

// Runs a check whose name is set already.
template <class F>
Check checked(std::string_view name, F&& f) {
  Check check{std::string(name), CheckStatus::failed, "", {}, ""};
  try {
    f(check);
  } catch (const std::exception& error) {
    check.status = CheckStatus::failed;
    check.text = printable(error.what());
  }
  return check;
}

void check_products(Check& check) {
  const SelfTest test = blas_self_test();
  check.status = passed_if(test.passed);
  check.text = test.passed ? fmt::format("{} products at odd shapes in f32 and f64; singular values of known ones",
                                         test.products)
                           : test.failure + " (use another build of OpenBLAS)";
}

void check_concurrent_products(Check& check) {
  const SelfTest test = concurrent_self_test();
  check.status = passed_if(test.passed);
  check.text = test.passed ? fmt::format("{} products, many at once on {} threads, equal to plain loops", test.products,
                                         std::max(4, threads()))
                           : test.failure + " (use another build of OpenBLAS)";
}

void check_gnuplot(Check& check) {
  try {
    const std::string out = report::gnuplot(
        "set print '-'\nprint sprintf('version %.1f patchlevel %s.', GPVAL_VERSION, GPVAL_PATCHLEVEL)\n"
        "set terminal svg\nplot [0:1] x\n");
    check.status = CheckStatus::passed;
    const std::size_t first = out.find("version "), end = out.find(".\n", first);
    check.text = "draws; " + printable(first == out.npos ? "of unknown version" : out.substr(first, end - first));
  } catch (const Error& error) {
    if (error.message().find("was not found") == std::string::npos) throw;
    check.status = CheckStatus::missing;
    check.text = printable(error.message()) + "; only pictures (--svg) need it";
  }
}

void check_training(Check& check, DType precision) {
  const double start = seconds_now();
  check.losses = reference_losses(precision);
  const double seconds = seconds_now() - start;
  const LossComparison result = compare_losses(precision, check.losses);
  check.status = passed_if(result.close);
  check.text =
      fmt::format("{} steps in {:.1f} s, last loss {:.9g}; {} the known losses ({:.2g} of the tolerance)",
                  check.losses.size(), seconds, check.losses.back(), result.close ? "close to" : "off", result.worst);
  if (result.bits_known)
    check.text += fmt::format("; {}bit for bit those stored for {}", result.bits_equal ? "" : "not ", cpu_kernels());
  if (precision == DType::f32) check.bits = bits_row(check.losses);
}

// What is promised of every build: neither the number of threads nor a second run changes a bit.
void check_threads(Check& check, const std::vector<double>& losses) {
  RZ_CHECK(value, !losses.empty(), "there is no training to compare with");
  const int before = threads(), other = before == 1 ? 3 : 1;
  set_threads(other);
  const std::vector<double> again = reference_losses(DType::f32);
  set_threads(before);
  const auto differ = std::ranges::mismatch(losses, again);
  check.status = passed_if(losses == again);
  check.text = losses == again ? fmt::format("{} and {} threads train alike, bit for bit", before, other)
                               : fmt::format("threads: {}: the loss of step {} differs from that with {}", other,
                                             differ.in1 - losses.begin() + 1, before);
}

}  // namespace

std::string_view name(CheckStatus status) {
  switch (status) {
    case CheckStatus::passed:
      return "passed";
    case CheckStatus::failed:
      return "FAILED";
    case CheckStatus::missing:
      return "missing";
  }
  return "";
}

std::vector<Check> run_checks() {
  std::vector<Check> checks;
  checks.push_back(checked("BLAS", check_products));
  checks.push_back(checked("BLAS, threads", check_concurrent_products));
  checks.push_back(checked("gnuplot", check_gnuplot));
  checks.push_back(checked("training, f64", [](Check& check) { check_training(check, DType::f64); }));
  checks.push_back(checked("training, f32", [](Check& check) { check_training(check, DType::f32); }));
  const std::vector<double> losses = checks.back().losses;
  checks.push_back(checked("training, threads", [&](Check& check) { check_threads(check, losses); }));
  return checks;
}

}  // namespace rz::tool
