// Times of repeated runs.
#pragma once

#include <vector>

namespace rz::tool {

double seconds_now();  // of a clock that never goes back; only differences mean something

class Times {
 public:
  template <class F>
  void measure(F&& f) {
    const double start = seconds_now();
    f();
    add(seconds_now() - start);
  }
  void add(double seconds) { seconds_.push_back(seconds); }
  double median_ms() const { return quantile_ms(0.5); }
  double min_ms() const { return quantile_ms(0); }
  double p90_ms() const { return quantile_ms(0.9); }
  double quantile_ms(double q) const;  // the value with a fraction q of the others below it; needs one time at least

 private:
  std::vector<double> seconds_;
};

}  // namespace rz::tool
