"""The polynomials of core/elementary.h, by Chebyshev interpolation in 40 digits. Needs mpmath.

    python3 tests/core/elementary_coefficients.py
"""
from mpmath import chebyfit, erf, erfc, exp, expm1, log, log1p, mp, mpf, nstr, pi, sqrt, tanh

mp.dps = 40
TINY = mpf(10) ** -14
HALF_LN2 = log(2) / 2 * mpf("1.0001")


def exp_tail(r):  # e^r = 1 + r + r^2 f(r)
    return (expm1(r) - r) / r**2 if abs(r) > TINY else mpf(1) / 2


def tanh_tail(u):  # tanh x = x + x u f(u), u = x^2
    return (tanh(sqrt(u)) / sqrt(u) - 1) / u if u > TINY else -mpf(1) / 3


def erf_tail(u):  # erf x = x + x f(u), u = x^2
    return erf(sqrt(u)) / sqrt(u) - 1 if u > TINY else 2 / sqrt(pi) - 1


def erfc_scaled(t):  # erfc x = exp(-x^2) f(t), t = 1 / (1 + x / 2)
    x = 2 * (1 / t - 1)
    return erfc(x) * exp(x * x)


def log_tail(f):  # log(1 + f) = f - f^2 / 2 + f^3 g(f)
    return (log1p(f) - f + f * f / 2) / f**3 if abs(f) > TINY else mpf(1) / 3


def log_series(z):  # log(1 + f) = f - s (f - R(z) z), s = f / (2 + f), z = s^2: atanh's series beyond its first term
    s = sqrt(z)
    return ((log1p(s) - log1p(-s)) / s - 2) / z if z > TINY else mpf(2) / 3


HALF_LOG = 3 - 2 * sqrt(2)  # |s| for the mantissas in [sqrt(1/2), sqrt(2)]
FITS = [
    ("exp, f32", exp_tail, -HALF_LN2, HALF_LN2, 6, 9),
    ("exp, f64", exp_tail, -HALF_LN2, HALF_LN2, 11, 17),
    ("tanh, f32, |x| < 0.9", tanh_tail, 0, mpf("0.81"), 8, 9),
    ("tanh, f64, |x| < 0.625", tanh_tail, 0, mpf("0.390625"), 12, 17),
    ("erf, f32, |x| < 1", erf_tail, 0, 1, 8, 9),
    ("erf, f64, |x| < 1", erf_tail, 0, 1, 13, 17),
    ("erfc, f32, [1, 3.96]", erfc_scaled, mpf("0.3355"), mpf(2) / 3, 8, 9),
    ("erfc, f64, [1, 6]", erfc_scaled, mpf("0.2499"), mpf(2) / 3, 17, 17),
    ("log, f32", log_tail, sqrt(mpf(1) / 2) - 1, sqrt(2) - 1, 9, 9),
    ("log, f64", log_series, 0, HALF_LOG**2, 8, 17),
]
for name, function, low, high, terms, digits in FITS:
    coefficients, error = chebyfit(function, [low, high], terms, error=True)
    print(f"{name}: error {nstr(error, 2)}\n  " + ", ".join(nstr(c, digits) for c in coefficients))
