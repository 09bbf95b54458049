// `rezero spectrum` without whole spectra: the values at the ends (--method lanczos) and the moments (--method
// moments), by J v and J^T u alone.
#pragma once

#include <string>

#include "tools/rezero/spectrum_options.h"

namespace rz::tool {

bool by_products_alone(const SpectrumOptions& options);
// One network, at all its seeds and inputs; writes what was asked for.   Throws: file, UsageError, BudgetError
void estimate_spectrum(const SpectrumOptions& options, const Variant& variant);

}  // namespace rz::tool
