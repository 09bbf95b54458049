// Learning-rate schedules. Steps count from 1; rate(t) is the rate used in step t.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rz::optim {

struct ScheduleOptions {
  std::string name = "constant";  // of schedule_names()
  // one_cycle (Smith 2018; PyTorch's OneCycleLR with cosine annealing): rises from rate / start_divisor to the rate
  // within warmup_fraction of all steps, then falls to rate / (start_divisor final_divisor).
  double warmup_fraction = 0.3;
  double start_divisor = 25;
  double final_divisor = 1e4;
};

std::span<const std::string_view> schedule_names();  // "constant", "one_cycle"

class Schedule {
 public:
  // total_steps >= 1.   Throws: value (unknown name with the nearest one; a fraction outside [0, 1], a divisor that is
  // not positive).
  Schedule(const ScheduleOptions& options, double learning_rate, std::int64_t total_steps);
  double rate(std::int64_t step) const;  // steps beyond the total keep the last rate

 private:
  ScheduleOptions options_;
  double learning_rate_;
  std::int64_t total_steps_;
};

}  // namespace rz::optim
