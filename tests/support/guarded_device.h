// The guarded device: its backend forwards to the CPU's, but its memory cannot be read or written outside a backend
// call. What runs on it never touches device memory from the host, as on a GPU. Fresh memory holds NaN.
#pragma once

#include "core/device.h"

namespace rz::test {

Device use_guarded_device();  // registers its backend the first time

}  // namespace rz::test
