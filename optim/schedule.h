// Learning-rate schedules. Steps count from 1; rate(t) is the rate used in step t. With k = t - 1 steps done, n steps
// in all and the base rate r:
//   constant       r
//   one_cycle      rises from r / start_divisor to r within warmup_fraction n, then falls to r / (start_divisor
//                  final_divisor), each along half a cosine (Smith 2018; PyTorch's OneCycleLR)
//   step           r gamma^floor(k / step_size)                                 (PyTorch's StepLR)
//   multi_step     r gamma^(number of milestones <= k)                          (MultiStepLR)
//   exponential    r gamma^k                                                    (ExponentialLR)
//   cosine         r (f + (1 - f) (1 + cos(pi k / n)) / 2), f = final_fraction  (Loshchilov, Hutter 2017, Eq. 5)
//   linear_warmup  r t / warmup_steps up to step warmup_steps, then by `after`: constant; cosine over the steps that
//                  are left; inverse_sqrt: r sqrt(warmup_steps / t)             (Vaswani et al. 2017, Eq. 3)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rz::optim {

// A key that is left out takes the schedule's default (schedule_rows()); one that the schedule does not use may not be
// given.
struct ScheduleOptions {
  std::string name = "constant";                          // of schedule_names()
  std::optional<double> warmup_fraction{};                // one_cycle: 0.3
  std::optional<double> start_divisor{};                  // one_cycle: 25
  std::optional<double> final_divisor{};                  // one_cycle: 1e4
  std::optional<std::int64_t> step_size{};                // step: has to be given
  std::optional<std::vector<std::int64_t>> milestones{};  // multi_step: steps, ascending; have to be given
  std::optional<double> gamma{};                          // step, multi_step: 0.1; exponential: 0.999
  std::optional<std::int64_t> warmup_steps{};             // linear_warmup: 100
  std::optional<std::string> after{};                     // linear_warmup: "constant"; "cosine", "inverse_sqrt"
  std::optional<double> final_fraction{};                 // cosine, linear_warmup with after = "cosine": 0
};

// A row per schedule: its name and its defaults. The schedule uses exactly the keys that have a value here (and
// final_fraction after a warm-up only with after = "cosine").
std::span<const ScheduleOptions> schedule_rows();
std::span<const std::string_view> schedule_names();  // in the order of the rows
std::span<const std::string_view> after_names();     // of ScheduleOptions::after

// Every key that the schedule uses has a value.
// Throws: value (unknown name with the nearest one; a key that the schedule does not use; a number out of its range).
ScheduleOptions resolved(ScheduleOptions options);

class Schedule {
 public:
  // total_steps >= 1.   Throws: value, as resolved()
  Schedule(const ScheduleOptions& options, double learning_rate, std::int64_t total_steps);
  double rate(std::int64_t step) const;  // steps beyond the total keep the last rate

 private:
  ScheduleOptions options_;
  double learning_rate_;
  std::int64_t total_steps_;
};

}  // namespace rz::optim
