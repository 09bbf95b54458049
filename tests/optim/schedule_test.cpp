#include "optim/schedule.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "support/close.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::optim;
using namespace rz::test;

namespace {

std::string schedule_error(const ScheduleOptions& options, double rate = 0.1, std::int64_t total = 10) {
  return message_of(ErrorCode::value, [&] { Schedule(options, rate, total); });
}

ScheduleOptions options_of(const nlohmann::json& row) {
  ScheduleOptions o{row["name"].get<std::string>()};
  const auto take = [&]<class T>(const char* key, std::optional<T>& value) {
    if (row.contains(key)) value = row[key].get<T>();
  };
  take("warmup_fraction", o.warmup_fraction);
  take("start_divisor", o.start_divisor);
  take("final_divisor", o.final_divisor);
  take("step_size", o.step_size);
  take("milestones", o.milestones);
  take("gamma", o.gamma);
  take("warmup_steps", o.warmup_steps);
  take("after", o.after);
  take("final_fraction", o.final_fraction);
  return o;
}

std::vector<double> rates(const Schedule& schedule, std::int64_t total) {
  std::vector<double> all;
  for (std::int64_t t = 1; t <= total; ++t) all.push_back(schedule.rate(t));
  return all;
}

}  // namespace

TEST_SUITE("optim/schedule") {
  TEST_CASE("schedule: the rate of step t is the one PyTorch uses in step t") {
    std::set<std::string> seen{"constant"};
    for (const nlohmann::json& row : reference("../optim/reference/schedules.json")) {
      const std::int64_t total = row["total"];
      const ScheduleOptions options = options_of(row["options"]);
      INFO(total << " steps, " << row["options"].dump());
      const double peak = row["learning_rate"];
      const Schedule schedule(options, peak, total);
      std::vector<double> ours = rates(schedule, total), theirs = numbers(row["rates"]);
      for (double& rate : ours) rate /= peak;
      for (double& rate : theirs) rate /= peak;
      CHECK(close(ours, theirs, 1e-12));
      CHECK(schedule.rate(total + 1) == schedule.rate(total));
      CHECK(schedule.rate(1000000) == schedule.rate(total));
      seen.insert(options.name);
    }
    for (const std::string_view name : schedule_names()) CHECK_MESSAGE(seen.contains(std::string(name)), name);
  }

  TEST_CASE("schedule: closed forms") {
    const auto rate = [](const ScheduleOptions& options, std::int64_t step, std::int64_t total) {
      return Schedule(options, 1, total).rate(step);
    };
    CHECK(rate({.name = "step", .step_size = 4, .gamma = 0.5}, 4, 100) == 1);
    CHECK(rate({.name = "step", .step_size = 4, .gamma = 0.5}, 5, 100) == 0.5);
    CHECK(rate({.name = "multi_step", .milestones = {{3, 5}}, .gamma = 0.5}, 3, 9) == 1);
    CHECK(rate({.name = "multi_step", .milestones = {{3, 5}}, .gamma = 0.5}, 4, 9) == 0.5);
    CHECK(rate({.name = "multi_step", .milestones = {{3, 5}}, .gamma = 0.5}, 6, 9) == 0.25);
    CHECK(close(rate({.name = "exponential", .gamma = 0.9}, 11, 20), std::pow(0.9, 10), 1e-15));
    CHECK(close(rate({.name = "cosine"}, 6, 10), 0.5, 1e-15));
    CHECK(close(rate({.name = "cosine", .final_fraction = 0.5}, 6, 10), 0.75, 1e-15));
    for (const char* after : {"constant", "cosine", "inverse_sqrt"}) {
      const ScheduleOptions options{.name = "linear_warmup", .warmup_steps = 4, .after = after};
      CHECK(rate(options, 1, 20) == 0.25);
      CHECK(rate(options, 4, 20) == 1);
    }
    CHECK(rate({.name = "linear_warmup", .warmup_steps = 4, .after = "inverse_sqrt"}, 16, 20) == 0.5);
    CHECK(close(rate({.name = "linear_warmup", .warmup_steps = 4, .after = "cosine"}, 13, 20), 0.5, 1e-15));
  }

  TEST_CASE("schedule: runs of 1, 2 and 3 steps have rates in (0, 1] of the base rate") {
    for (const ScheduleOptions& row : schedule_rows()) {
      ScheduleOptions options{row.name};
      if (row.step_size) options.step_size = 1;
      if (row.milestones) options.milestones = {1};
      for (const std::int64_t total : {1, 2, 3}) {
        INFO(row.name << ", " << total);
        for (const double rate : rates(Schedule(options, 0.5, total), total)) CHECK((rate > 0 && rate <= 0.5));
      }
    }
  }

  TEST_CASE("one_cycle: a rise that ends in the first step starts at the peak") {
    for (const std::int64_t total : {1, 2, 4}) {
      INFO(total);
      const Schedule schedule({.name = "one_cycle", .warmup_fraction = 1.0 / static_cast<double>(total)}, 0.5, total);
      CHECK(schedule.rate(1) == 0.5);
      for (const double rate : rates(schedule, total)) CHECK((rate > 0 && rate <= 0.5));
    }
  }

  TEST_CASE("constant: the same rate in every step") {
    const Schedule schedule({}, 0.25, 3);
    CHECK(rates(schedule, 5) == std::vector<double>(5, 0.25));
  }

  TEST_CASE("schedule: wrong options are refused by name") {
    CHECK(mentions(schedule_error({.name = "one-cycel"}), {"'one-cycel' is not known", "did you mean 'one_cycle'?"}));
    CHECK(mentions(schedule_error({.name = "x"}), {"'x' is not known;", "constant, one_cycle", "linear_warmup"}));
    CHECK(
        mentions(schedule_error({.name = "one_cycle", .warmup_fraction = 1.5}), {"warmup_fraction is 1.5", "[0, 1]"}));
    CHECK(mentions(schedule_error({.name = "one_cycle", .warmup_fraction = NAN}), {"warmup_fraction is nan"}));
    CHECK(mentions(schedule_error({.name = "one_cycle", .start_divisor = 0}), {"start_divisor is 0"}));
    CHECK(mentions(schedule_error({.name = "one_cycle", .final_divisor = -1}), {"final_divisor is -1"}));
    CHECK(mentions(schedule_error({.name = "step"}), {"step_size is 0", "at least 1"}));
    CHECK(mentions(schedule_error({.name = "multi_step"}), {"milestones is empty"}));
    CHECK(mentions(schedule_error({.name = "multi_step", .milestones = {{5, 5}}}),
                   {"milestones has 5 after 5", "ascending"}));
    CHECK(mentions(schedule_error({.name = "exponential", .gamma = 0}), {"gamma is 0", "positive"}));
    CHECK(mentions(schedule_error({.name = "cosine", .final_fraction = 2}), {"final_fraction is 2", "[0, 1]"}));
    CHECK(mentions(schedule_error({.name = "linear_warmup", .warmup_steps = 0}), {"warmup_steps is 0"}));
    CHECK(mentions(schedule_error({.name = "linear_warmup", .after = "cosin"}),
                   {"after = 'cosin'", "did you mean 'cosine'?"}));
    CHECK(mentions(schedule_error({.gamma = 0.5}),
                   {"schedule.gamma belongs to step, multi_step and exponential, but schedule.name is constant"}));
    CHECK(mentions(schedule_error({.name = "linear_warmup", .final_fraction = 0.5}),
                   {"schedule.final_fraction", "cosine", "schedule.after is constant"}));
    CHECK(mentions(schedule_error({}, -0.1), {"learning rate is -0.1"}));
    CHECK(mentions(schedule_error({}, 0.1, 0), {"0 steps"}));
  }
}
