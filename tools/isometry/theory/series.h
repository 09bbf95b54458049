// Power series in one variable, up to the sixth power: c[0] + c[1] t + ... + c[6] t^6. Moments of free products come
// out of them by Lagrange's inversion. In long double: at hundreds of layers terms of both signs cancel.
#pragma once

#include <array>

namespace rz::isometry {

using Series = std::array<long double, 7>;

Series product(const Series& a, const Series& b);
Series quotient(const Series& a, const Series& b);  // b[0] != 0
Series log(const Series& a);                        // a[0] = 1
Series exp(const Series& a);                        // a[0] = 0
Series inverse(const Series& a);                    // a = t + ...; the b with a(b(t)) = t
Series shifted(const Series& a);                    // a(t) / t, a[0] = 0; its highest coefficient is not known: 0
Series log_one_plus();                              // ln(1 + t)

}  // namespace rz::isometry
