"""Singular values of long products by mpmath: product_svd.json, read by tests/isometry/product_test.cpp.

Matrices come from the generator of testvectors.json, so that no entry is stored: s = 6364136223846793005 s +
1442695040888963407 mod 2^64, u = (s >> 11) / 2^53, entry (2 u - 1) scale, row by row. `scale` makes the entries'
variance 1 / N. Kinds:
  dense     J_l = W_l
  masked    W_l with the rows of zeros where (s >> 11) of a draw after W_l is even (one draw per row)
  residual  J_l = I + 0.1 W_l
  graded    J_l = diag(2^r) W_l diag(2^c), r and c: -(s >> 59) times `grade`, a draw per row, then one per column
"""
import json
import os

from mpmath import mp, mpf, matrix, log10

M = 2**64


class Lcg:
    def __init__(self, seed):
        self.s = seed

    def next(self):
        self.s = (6364136223846793005 * self.s + 1442695040888963407) % M
        return self.s

    def entry(self, scale):
        return (2 * ((self.next() >> 11) * 2.0**-53) - 1) * scale


def factor(case, lcg):
    n = case["N"]
    w = [[mpf(lcg.entry(case["scale"])) for _ in range(n)] for _ in range(n)]
    if case["kind"] == "masked":
        for row in w:
            if (lcg.next() >> 11) % 2 == 0:
                row[:] = [mpf(0)] * n
    elif case["kind"] == "residual":
        # rounded as the test rounds it
        w = [[mpf(float(0.1 * float(w[i][j])) + (1.0 if i == j else 0.0)) for j in range(n)] for i in range(n)]
    elif case["kind"] == "graded":
        r = [-(lcg.next() >> 59) * case["grade"] for _ in range(n)]
        c = [-(lcg.next() >> 59) * case["grade"] for _ in range(n)]
        w = [[w[i][j] * mpf(2) ** (r[i] + c[j]) for j in range(n)] for i in range(n)]
    return matrix(w)


def jacobi(a, n):
    """One-sided Jacobi in the working precision: columns of a, relative accuracy by sheer digits."""
    cols = [[a[i, j] for i in range(a.rows)] for j in range(n)]
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    for _ in range(100):
        done = True
        for p in range(n):
            for q in range(p + 1, n):
                x, y = cols[p], cols[q]
                g, aa, bb = dot(x, y), dot(x, x), dot(y, y)
                if aa == 0 or bb == 0 or abs(g) <= mpf(10) ** -25 * mp.sqrt(aa * bb):
                    continue
                done = False
                h = (aa - bb) / 2
                u = g / (h + (1 if h >= 0 else -1) * mp.sqrt(h * h + g * g))
                c = 1 / mp.sqrt(1 + u * u)
                cols[p] = [c * (s + u * t) for s, t in zip(x, y)]
                cols[q] = [c * (t - u * s) for s, t in zip(x, y)]
        if done:
            break
    return sorted((mp.sqrt(dot(x, x)) for x in cols), reverse=True)


def solve(case):
    mp.dps = case.pop("digits")
    lcg = Lcg(case["seed"])
    n = case["N"]
    product = None
    for _ in range(case["L"]):
        f = factor(case, lcg)
        product = f if product is None else f * product
    values = jacobi(product, n)
    kept = [log10(s) for s in values if s > mpf(10) ** (-mp.dps + 60) * values[0]]
    case["log10_sigma"] = [mp.nstr(v, 25) for v in kept]
    print(case["kind"], n, case["L"], len(kept), mp.nstr(kept[0], 5), mp.nstr(kept[-1], 8), flush=True)
    return case


def dense(n, l, seed, digits, kind="dense", **more):
    return dict(kind=kind, N=n, L=l, seed=seed, scale=(3.0 / n) ** 0.5, digits=digits, **more)


cases = [
    dense(12, 16, 11, 120),
    dense(12, 64, 12, 200),
    dense(24, 40, 13, 180),
    dense(16, 200, 14, 500),
    dense(10, 560, 15, 1100),
    dense(16, 10, 16, 120, "masked"),
    dense(16, 40, 20, 160, "masked"),
    dense(24, 60, 18, 180, "masked"),
    dense(20, 200, 19, 140, "residual"),
    dense(10, 6, 21, 400, "graded", grade=1),
    dense(8, 4, 22, 900, "graded", grade=7),
]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "product_svd.json")
with open(path, "w") as out:
    json.dump({"script": os.path.basename(__file__), "cases": [solve(c) for c in cases]}, out, indent=1)
    out.write("\n")
