"""Densities of deep orthogonal laws with 900,000 nodes: python law_density.py (numpy; a minute).

At the lowest lambda of two cases golden.json has the density of its quadrature nodes rather than that of the law: the
nodes, 1 / 40 apart, are further apart than the subordination function is from the real axis.
"""
import numpy as np


def density(slope, q, sw2, depth, lam, h=2e-5):
    z = np.arange(-9, 9 + h / 2, h)
    w = h * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    s = slope(np.sqrt(q) * z) ** 2 * sw2

    def newton(log_chi, log_lam):
        for _ in range(60):
            v = np.exp(log_chi) * s / (1 - np.exp(log_chi) * s)
            p, dp = (w * v).sum(), (w * v * (1 + v)).sum()
            f = np.log(1 + p) - np.log(p) - depth * (log_chi + np.log(1 + p) - np.log(p)) - log_lam
            step = f / (dp * (depth - 1) / (p * (1 + p)) - depth)
            log_chi -= step
            if abs(step) < 1e-12:
                return log_chi, p

    log_chi = np.log(0.3 + 0.2j)
    for x in np.linspace(np.log(5), np.log(lam), 400):
        log_chi, p = newton(log_chi, x - 0.1j)
    for offset in [0.1 * 0.7**k for k in range(40)] + [0]:
        log_chi, p = newton(log_chi, np.log(lam) - 1j * offset)
    return p.imag / np.pi / lam


print("tanh", density(lambda x: np.cosh(x) ** -2.0, 0.045709078695282464853, 1.0860262924996932110, 8, 0.15181747087157316))
print("erf_unit", density(lambda x: np.exp(-np.pi / 4 * x * x), 0.052171406981267731061, 1.0788425783680369535, 8, 0.14731419784087174))
