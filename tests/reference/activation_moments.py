"""Writes activation_moments.json: mu_1, mu_2, E phi^2, d/dq E phi^2 and E ln phi'^2 of every activation at x ~ N(0, q),
by mpmath's tanh-sinh quadrature in 30 digits, split at kinks and at zeros of phi'. Needs mpmath; takes a few minutes."""
import json
from pathlib import Path

from mpmath import mp, mpf, sqrt, exp, log, pi, erf, erfc, tanh, sin, cos, quad, findroot, inf

mp.dps = 30
lam, alpha = mpf("1.05070098735548049342"), mpf("1.67326324235437728482")
n = lambda x: exp(-x * x / 2) / sqrt(2 * pi)
Phi = lambda x: erfc(-x / sqrt(2)) / 2
s = lambda x: 1 / (1 + exp(-x))
k, c = sqrt(2 / pi), mpf("0.044715")
u, du = lambda x: k * (x + c * x**3), lambda x: k * (1 + 3 * c * x * x)

# name: (phi, phi', split points)
FUNCTIONS = {
    "tanh": (tanh, lambda x: 4 / (exp(x) + exp(-x)) ** 2, []),
    "erf": (erf, lambda x: 2 / sqrt(pi) * exp(-x * x), []),
    "erf_unit": (lambda x: erf(sqrt(pi) / 2 * x), lambda x: exp(-pi * x * x / 4), []),
    "sigmoid": (s, lambda x: s(x) * s(-x), []),
    "gelu": (lambda x: x * Phi(x), lambda x: Phi(x) + x * n(x), [-0.75]),
    "gelu_tanh": (lambda x: x * s(2 * u(x)), lambda x: s(2 * u(x)) * (1 + 2 * x * s(-2 * u(x)) * du(x)), [-0.75]),
    "silu": (lambda x: x * s(x), lambda x: s(x) * (1 + x * s(-x)), [-1.28]),
    "selu": (lambda x: lam * x if x > 0 else lam * alpha * (exp(x) - 1), lambda x: lam if x > 0 else lam * alpha * exp(x),
             [0]),
    "leaky_relu": (lambda x: x if x > 0 else x / 100, lambda x: mpf(1) if x > 0 else mpf(1) / 100, [0]),
    "relu": (lambda x: x if x > 0 else mpf(0), lambda x: mpf(1) if x > 0 else mpf(0), [0]),
    "hard_tanh": (lambda x: max(mpf(-1), min(mpf(1), x)), lambda x: mpf(1) if abs(x) < 1 else mpf(0), [-1, 1]),
    "sin": (sin, cos, []),
}


def moments(name, q):
    f, df, splits = FUNCTIONS[name]
    root = sqrt(q)
    if name in ("gelu", "gelu_tanh", "silu"):
        splits = [findroot(df, splits[0])]
    z = sorted({-16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, *(p / root for p in splits if abs(p / root) < 16)})
    mean = lambda g: quad(lambda t: g(root * t) * n(t), z)
    row = {"act": name, "q": str(q), "E_phi2": mean(lambda x: f(x) ** 2), "mu_1": mean(lambda x: df(x) ** 2),
           "mu_2": mean(lambda x: df(x) ** 4), "slope": mean(lambda x: x * f(x) * df(x)) / q}
    if name == "sin":  # Fourier series of ln |cos x|
        row["mean_log"] = -2 * log(2) - 2 * mp.nsum(lambda j: (-1) ** int(j) * exp(-2 * j * j * q) / j, [1, inf])
    elif name not in ("relu", "hard_tanh"):
        row["mean_log"] = mean(lambda x: log(df(x) ** 2))
    return {key: value if isinstance(value, str) else mp.nstr(value, 20) for key, value in row.items()}


rows = [moments(name, mpf(q)) for name in FUNCTIONS for q in ("0.01", "0.1", "1", "4", "30", "300")]
lines = ",\n".join(json.dumps(row) for row in rows)
Path(__file__).with_suffix(".json").write_text("[\n" + lines + "\n]\n")
