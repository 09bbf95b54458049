// The table of schedules, and the check of what is given against it.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/nearest.h"
#include "optim/resolve_key.h"
#include "optim/schedule.h"

namespace rz::optim {

namespace {

constexpr std::string_view afters[] = {"constant", "cosine", "inverse_sqrt"};

const std::vector<ScheduleOptions>& rows() {
  static const std::vector<ScheduleOptions> table{
      {.name = "constant"},
      {.name = "one_cycle", .warmup_fraction = 0.3, .start_divisor = 25, .final_divisor = 1e4},
      {.name = "step", .step_size = 0, .gamma = 0.1},
      {.name = "multi_step", .milestones = std::vector<std::int64_t>{}, .gamma = 0.1},
      {.name = "exponential", .gamma = 0.999},
      {.name = "cosine", .final_fraction = 0},
      {.name = "linear_warmup", .warmup_steps = 100, .after = "constant", .final_fraction = 0},
  };
  return table;
}

template <class T>
struct Key {
  std::string_view name;
  std::optional<T> ScheduleOptions::* member;
};

template <class F>
void for_each_key(F&& f) {
  using O = ScheduleOptions;
  f(Key<double>{"warmup_fraction", &O::warmup_fraction});
  f(Key<double>{"start_divisor", &O::start_divisor});
  f(Key<double>{"final_divisor", &O::final_divisor});
  f(Key<std::int64_t>{"step_size", &O::step_size});
  f(Key<std::vector<std::int64_t>>{"milestones", &O::milestones});
  f(Key<double>{"gamma", &O::gamma});
  f(Key<std::int64_t>{"warmup_steps", &O::warmup_steps});
  f(Key<std::string>{"after", &O::after});
  f(Key<double>{"final_fraction", &O::final_fraction});
}

// A name out of a list, or an error that tells the nearest.
void check_name(std::string_view what, const std::string& name, std::span<const std::string_view> names) {
  RZ_CHECK(value, std::ranges::find(names, name) != names.end(), "schedule: {}{}", what, unknown_name(name, names));
}

void check_numbers(const ScheduleOptions& o) {
  for (const auto& [name, value] :
       {std::pair{"warmup_fraction", o.warmup_fraction}, std::pair{"final_fraction", o.final_fraction}})
    RZ_CHECK(value, !value || (*value >= 0 && *value <= 1), "schedule: {} is {}, but must lie in [0, 1]", name, *value);
  for (const auto& [name, value] : {std::pair{"start_divisor", o.start_divisor},
                                    std::pair{"final_divisor", o.final_divisor}, std::pair{"gamma", o.gamma}})
    RZ_CHECK(value, !value || (std::isfinite(*value) && *value > 0), "schedule: {} is {}, but must be positive", name,
             *value);
  RZ_CHECK(value, o.step_size.value_or(1) >= 1,
           "schedule: step_size is {}, but the schedule step needs at least 1 step between two falls", *o.step_size);
  RZ_CHECK(value, o.warmup_steps.value_or(1) >= 1, "schedule: warmup_steps is {}, but must be at least 1",
           *o.warmup_steps);
  if (!o.milestones) return;
  RZ_CHECK(value, !o.milestones->empty(),
           "schedule: milestones is empty, but the schedule multi_step needs the steps after which the rate falls");
  std::int64_t last = 0;
  for (const std::int64_t milestone : *o.milestones) {
    RZ_CHECK(value, milestone > last, "schedule: milestones has {} after {}, but must be ascending steps from 1 on",
             milestone, last);
    last = milestone;
  }
}

}  // namespace

std::span<const ScheduleOptions> schedule_rows() { return rows(); }

std::span<const std::string_view> schedule_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list;
    for (const ScheduleOptions& row : rows()) list.emplace_back(row.name);
    return list;
  }();
  return names;
}

std::span<const std::string_view> after_names() { return afters; }

ScheduleOptions resolved(ScheduleOptions options) {
  check_name("", options.name, schedule_names());
  ScheduleOptions row = *std::ranges::find(rows(), options.name, &ScheduleOptions::name);
  if (row.after) {
    check_name("after = ", options.after.value_or(*row.after), afters);
    if (options.after.value_or(*row.after) != "cosine") {
      RZ_CHECK(value, !options.final_fraction,
               "schedule.final_fraction belongs to a fall along a cosine, but schedule.after is {}",
               options.after.value_or(*row.after));
      row.final_fraction.reset();
    }
  }
  for_each_key([&](const auto& key) { resolve_key("schedule", key, row, schedule_rows(), options); });
  check_numbers(options);
  return options;
}

}  // namespace rz::optim
