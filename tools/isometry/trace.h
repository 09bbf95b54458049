// Moments of a spectrum, m_k = tr (J J^T)^k / min(rows, cols), by random probes with standard errors, matrix-free.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"
#include "tools/isometry/estimate.h"
#include "tools/isometry/operator.h"

namespace rz::isometry {

Tensor signs(const Shape& shape, Random& random);                                               // +-1
Tensor signs(std::int64_t count, std::int64_t n, std::uint64_t seed, std::string_view stream);  // +-1, [count, n]

// m_1 ... m_powers. Each probe takes ceil(powers / 2) products with J and with J^T.
// Hutchinson (Commun. Statist. Simulation 19, 1990): z^T (J J^T)^k z, z of signs, on the smaller side of J.
// Throws: value (powers < 1, probes < 2).
std::vector<Estimate> hutchinson_moments(const LinearOperator& op, std::int64_t powers, std::int64_t probes,
                                         std::uint64_t seed = 0);
// Hutch++ (Meyer, Musco, Musco, Woodruff, SOSA 2021): the trace on a subspace that holds the largest values exactly,
// and Hutchinson's estimate of the rest: better where few large values rule the moment. A third of the products each
// finds the subspace, takes its trace, and estimates the rest; `probes` counts all.
// Throws: value (powers < 1, probes < 6).
std::vector<Estimate> hutchpp_moments(const LinearOperator& op, std::int64_t powers, std::int64_t probes,
                                      std::uint64_t seed = 0);

}  // namespace rz::isometry
