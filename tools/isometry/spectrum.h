// Singular values of input-output Jacobians, with what is known of their accuracy.
// The singular values of an explicit J carry an error of about eps sigma_max: what lies below the floor
//   floor = max(m, n) eps sigma_max,   eps that of J's dtype,
// is noise and says only that the true value is small. Rows and columns of zeros are taken out first: the zeros they
// give are exact.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "tools/isometry/estimate.h"

namespace rz::isometry {

// Singular values of deep networks leave the range of a double: the logarithms are the data.
struct SampleSpectrum {
  std::vector<double> log10_singular_values;  // descending, all min(m, n); -infinity for exact zeros
  std::vector<double> singular_values;        // of the same; 0 or infinite beyond the range of a double
  std::int64_t resolved = 0;                  // the first so many are above the floor
  std::int64_t exact_zeros = 0;               // the last so many; those between lie below the floor
  double floor = 0;
};

// J [m, n], f64 or f32; `what` names it in messages.   Throws: shape (not a matrix, no elements), dtype, value (an
// entry is not finite: where).
SampleSpectrum spectrum(const Tensor& jacobian, std::string_view what = "Jacobian");
// The same for many, a matrix per thread; messages say "Jacobian of sample 3" (counted from 0).
std::vector<SampleSpectrum> spectra(std::span<const Tensor> jacobians);

// How many values all samples have together.
struct Counts {
  std::int64_t all = 0, resolved = 0, exact_zeros = 0;
  std::int64_t below_floor() const { return all - resolved - exact_zeros; }
  double share(std::int64_t count) const { return static_cast<double>(count) / static_cast<double>(all); }
};
Counts counts_of(std::span<const SampleSpectrum> samples);

// Over the singular values of all samples together. What does not exist is NaN, what is not bounded infinite; both are
// null in JSON. `_se`: standard error of a mean from the scatter of the samples; NaN for one sample.
struct Summary {
  double max = 0, min = 0;                           // 0 when there is an exact zero; a min below the floor is noise
  double log10_max = 0, log10_min = 0;               // of the same, also beyond the range of a double
  double mean_square = 0, mean_square_se = 0;        // tr(J J^T) / min(m, n), mean over the samples
  double mean_log = 0, mean_log_se = 0;              // of ln sigma over the resolved values; NaN when there is none
  double condition_number = 0, log10_condition = 0;  // max / min; infinite when min is 0, NaN when max is
  double fraction_below_floor = 0;                   // of all values; exact zeros are not among them
  double rank = 0, rank_se = 0;                      // resolved values per sample, the mean over the samples
};
Summary summarize(std::span<const SampleSpectrum> samples);  // Throws: value (no samples)
bool smallest_is_noise(const Summary& summary);              // the smallest value is not 0, but below the floor

// What each sample says of itself, as means over the samples. NaN where a sample's smallest value is noise.
struct SampleMeans {
  Estimate max, min, log10_max, log10_min, condition_number, log10_condition, fraction_below_floor;
};
SampleMeans sample_means(std::span<const SampleSpectrum> samples);  // Throws: value (no samples)

// An analysis with all that is recorded of it.
struct Result {
  std::int64_t rows = 0, cols = 0;    // of a Jacobian
  std::string of, method, precision;  // "stack" or "network"; "explicit"; "f64" or "f32"
  std::int64_t from = 0, to = 0;      // of a stack: the hidden states between which it is taken; both 0: not known
  std::string statistics{};           // of batch norms: "frozen" or "batch"; "": there are none
  double floor = 0;                   // the largest of the samples'
  std::vector<SampleSpectrum> samples;
  Summary summary;
};
// Throws: shape (not all of one shape), dtype (not all of one), value (none; not finite).
Result analyze(std::span<const Tensor> jacobians, std::string_view of);
// From spectra that were taken one by one.   Throws: value (none), shape (a sample has not min(rows, cols) values)
Result result_of(std::vector<SampleSpectrum> samples, std::int64_t rows, std::int64_t cols, std::string_view of,
                 DType precision);

}  // namespace rz::isometry
