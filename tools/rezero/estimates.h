// `rezero spectrum` without whole spectra: the values at the ends (--method lanczos) and the moments (--method
// moments), by J v and J^T u alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/rezero/spectrum_options.h"

namespace rz::tool {

bool by_products_alone(const SpectrumOptions& options);
// What lanczos keeps for `top` values at either end, in bytes.
std::int64_t lanczos_bytes(const isometry::Extents& extents, std::int64_t top);
inline constexpr std::int64_t usual_top = 10;
// Where J and its SVD, of so many bytes, do not fit: why the ends of the spectrum are found without J, as a line.
// Throws: BudgetError (these do not fit, either)
std::string why_only_ends(const isometry::Extents& extents, std::int64_t exact_bytes, std::string_view budget);
// One network, at all its seeds and inputs; writes what was asked for. `why` this method: a line of the text; "": it
// was asked for.   Throws: file, UsageError, BudgetError
void estimate_spectrum(const SpectrumOptions& options, const Variant& variant, std::string_view why = {});

}  // namespace rz::tool
