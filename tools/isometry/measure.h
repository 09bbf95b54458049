// Singular values of a part of a model at many inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tools/isometry/part.h"
#include "tools/isometry/spectrum.h"

namespace rz::isometry {

struct MeasureOptions {
  std::int64_t memory = std::int64_t{1} << 30;  // bytes: for directions at a time, and for matrices
  // Called on one thread at a time with the share of the work that is done, from 0 to 1.
  std::function<void(double)> progress = [](double) {};
  std::function<void(const Tensor&)> look{};  // of exact_spectra: each sample's Jacobian, on the CPU, in order
};

// What one sample keeps of matrices, in bytes. Explicitly J and the copy that its SVD destroys; as a product, at the
// part's input x [1, ...], the chain's matrices and the Jacobian of a stage.
std::int64_t exact_bytes(const Extents& extents, DType precision);
std::int64_t product_bytes(const Part& part, const Tensor& x);

// inputs [samples, ...input_shape]. As many samples side by side as there are threads and the memory holds, but one.
// Throws: BudgetError; value (a Jacobian that is not finite: its sample)
//   exact: the explicit Jacobian and its SVD.
std::vector<SampleSpectrum> exact_spectra(const Part& part, const Tensor& inputs, const MeasureOptions& options = {});
//   product: the Jacobians of the stages one by one, never their product.
std::vector<SampleSpectrum> product_spectra(const Part& part, const Tensor& inputs, const MeasureOptions& options = {});

// Of the partial Jacobians from the part's input to the end of each of `layers` (stages, counted from 1, ascending), in
// product form at one input x [1, ...input_shape] of the model: the fan of singular values over depth.
std::vector<SampleSpectrum> partial_spectra(const Part& part, const Tensor& x, std::span<const std::size_t> layers,
                                            const MeasureOptions& options = {});

// From the spectra of a part between its hidden states.   Throws: as result_of of spectrum.h
Result result_of(std::vector<SampleSpectrum> samples, const Part& part, const Extents& extents, DType precision);

}  // namespace rz::isometry
