#include "optim/schedule.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/close.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::optim;
using namespace rz::test;

namespace {

std::string error_of(const ScheduleOptions& options, double rate = 0.1, std::int64_t total = 10) {
  return message_of(ErrorCode::value, [&] { Schedule(options, rate, total); });
}

std::vector<double> rates(const Schedule& schedule, std::int64_t total) {
  std::vector<double> all;
  for (std::int64_t t = 1; t <= total; ++t) all.push_back(schedule.rate(t));
  return all;
}

}  // namespace

TEST_SUITE("optim/schedule") {
  TEST_CASE("one_cycle: the rate of step t is the one PyTorch uses in step t") {
    for (const nlohmann::json& row : reference("../optim/reference/schedules.json")) {
      const std::int64_t total = row["total"];
      INFO(total << " steps, warmup " << row["warmup_fraction"]);
      ScheduleOptions options{"one_cycle", row["warmup_fraction"], row["start_divisor"], row["final_divisor"]};
      const double peak = row["learning_rate"];
      const Schedule schedule(options, peak, total);
      std::vector<double> ours = rates(schedule, total), theirs = numbers(row["rates"]);
      for (double& rate : ours) rate /= peak;
      for (double& rate : theirs) rate /= peak;
      CHECK(close(ours, theirs, 1e-12));
      CHECK(schedule.rate(total + 1) == schedule.rate(total));
      CHECK(schedule.rate(1000000) == schedule.rate(total));
    }
  }

  TEST_CASE("one_cycle: a rise that ends in the first step starts at the peak") {
    for (const std::int64_t total : {1, 2, 4}) {
      INFO(total);
      const Schedule schedule({"one_cycle", 1.0 / static_cast<double>(total)}, 0.5, total);
      CHECK(schedule.rate(1) == 0.5);
      for (const double rate : rates(schedule, total)) CHECK((rate > 0 && rate <= 0.5));
    }
  }

  TEST_CASE("constant: the same rate in every step") {
    const Schedule schedule({}, 0.25, 3);
    CHECK(rates(schedule, 5) == std::vector<double>(5, 0.25));
  }

  TEST_CASE("schedule: wrong options are refused by name") {
    CHECK(mentions(error_of({.name = "one-cycel"}), {"'one-cycel' is not known", "did you mean 'one_cycle'?"}));
    CHECK(mentions(error_of({.name = "x"}), {"'x' is not known;", "constant, one_cycle"}));
    CHECK(mentions(error_of({.warmup_fraction = 1.5}), {"warmup_fraction is 1.5", "[0, 1]"}));
    CHECK(mentions(error_of({.warmup_fraction = NAN}), {"warmup_fraction is nan"}));
    CHECK(mentions(error_of({.start_divisor = 0}), {"start_divisor is 0"}));
    CHECK(mentions(error_of({.final_divisor = -1}), {"final_divisor is -1"}));
    CHECK(mentions(error_of({}, -0.1), {"learning rate is -0.1"}));
    CHECK(mentions(error_of({}, 0.1, 0), {"0 steps"}));
  }
}
