// `rezero spectrum --convolution NAME`: the singular values of one convolution of a network.
#pragma once

#include "tools/rezero/spectrum_options.h"

namespace rz::tool {

// Refuses what belongs to Jacobians, and --size without --convolution.   Throws: UsageError
void check_convolution(const SpectrumOptions& options);
// Of a single network; writes what was asked for.   Throws: file, UsageError (there is no such convolution: which there
// are; the images are not known and --size was not given), memory (--memory)
void convolution_spectrum(const SpectrumOptions& options);

}  // namespace rz::tool
