#include "tools/isometry/theory/phase_diagram.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "core/parallel.h"
#include "tools/isometry/theory/mean_field.h"
#include "tools/isometry/theory/moment_table.h"

namespace rz::isometry {
namespace {

constexpr int line_points = 100;

std::vector<double> axis(double low, double high, std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = low + (high - low) * (static_cast<double>(i) / static_cast<double>(count - 1));
  return values;
}

}  // namespace

PhaseDiagram phase_diagram(Scalar phi, const Window& window, std::int64_t width, std::int64_t height) {
  RZ_CHECK(value, width >= 2 && height >= 2 && width <= 10'000'000 / height,
           "a phase diagram of {} x {} points; at least 2 x 2 and at most 10^7 in all are possible", width, height);
  check_sigmas(window.sigma_w_low, window.sigma_b_low);
  check_sigmas(window.sigma_w_high, window.sigma_b_high);
  RZ_CHECK(value, window.sigma_w_low < window.sigma_w_high && window.sigma_b_low < window.sigma_b_high,
           "a phase diagram: the window sigma_w {} to {}, sigma_b {} to {} is empty", window.sigma_w_low,
           window.sigma_w_high, window.sigma_b_low, window.sigma_b_high);
  PhaseDiagram diagram;
  diagram.sigma_w = axis(window.sigma_w_low, window.sigma_w_high, width);
  diagram.sigma_b = axis(window.sigma_b_low, window.sigma_b_high, height);
  for (auto* field : {&diagram.q_star, &diagram.chi_1, &diagram.c_star, &diagram.xi_q, &diagram.xi_c})
    field->resize(static_cast<std::size_t>(width * height));
  const double bounded_q = window.sigma_w_high * window.sigma_w_high + window.sigma_b_high * window.sigma_b_high;
  const MomentTable table(phi, is_bounded(phi) ? bounded_q : is_homogeneous(phi) ? 1 : largest_q_star);
  parallel_for(width * height, [&](std::int64_t point) {
    const auto i = static_cast<std::size_t>(point), row = i / diagram.sigma_w.size(),
               column = i % diagram.sigma_w.size();
    const MeanField m = mean_field(phi, diagram.sigma_w[column], diagram.sigma_b[row], std::cref(table));
    diagram.q_star[i] = m.q_star;
    diagram.chi_1[i] = m.chi_1;
    diagram.c_star[i] = m.c_star;
    diagram.xi_q[i] = m.xi_q;
    diagram.xi_c[i] = m.xi_c;
  });
  diagram.critical_line = critical_line(phi, window, line_points);
  return diagram;
}

}  // namespace rz::isometry
