#include "core/precision.h"

#include "core/backend.h"
#include "core/error.h"

namespace rz {
namespace {

thread_local ProductPrecision of_this_thread = ProductPrecision::plain;

}  // namespace

ProductPrecision product_precision() { return of_this_thread; }

ProductPrecisionScope::ProductPrecisionScope(ProductPrecision precision, Device device) : before_(of_this_thread) {
  const std::string missing = backend(device).missing_for(precision);
  RZ_CHECK(value, missing.empty(), "products in {} cannot be had: {}", name(precision), missing);
  of_this_thread = precision;
}

ProductPrecisionScope::~ProductPrecisionScope() { of_this_thread = before_; }

}  // namespace rz
