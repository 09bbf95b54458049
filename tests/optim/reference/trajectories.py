"""Writes trajectories.json: 20 steps of every update rule, in f64 NumPy from the papers.

python3 trajectories.py     (written with numpy 2, torch 2.13)

Where PyTorch has the rule (SGD, Adagrad, RMSprop, Adam, AdamW, Muon) its own steps must agree, else the script ends
with an error. PyTorch's Muon multiplies in bf16; here its matrices are kept in f64.

The gradients are given, not computed: multiples of 1/64, those of the first step 0 for half of `weight`, for `gate` and
for the whole of `wide`. Decay is that of the role weight alone, which is the default by role.
"""
import json
import math
import random
from pathlib import Path

import numpy as np
import torch

PARAMETERS = [  # name, shape, role, start: drawn, or all of one value
    ("weight", (3, 2), "weight", None), ("bias", (2,), "bias", None), ("gate", (1,), "residual_weight", None),
    ("norm", (0,), "norm", None), ("wide", (2, 4), "weight", None), ("zero", (2, 2), "weight", 0.0),
    ("gates", (3,), "residual_weight", 0.0), ("gain", (1,), "norm", 1.0),
]
STEPS = 20
RULES = {
    "sgd": ("sgd", dict(learning_rate=0.1)),
    "sgd_decay": ("sgd", dict(learning_rate=0.1, weight_decay=0.05)),
    "sgd_momentum": ("sgd", dict(learning_rate=0.05, momentum=0.9)),
    "sgd_nesterov_decay": ("sgd", dict(learning_rate=0.05, momentum=0.9, nesterov=True, weight_decay=0.05)),
    "adagrad": ("adagrad", dict(learning_rate=0.1)),
    "adagrad_decay": ("adagrad", dict(learning_rate=0.1, weight_decay=0.05, eps=1e-3)),
    "adagrad_eps_0": ("adagrad", dict(learning_rate=0.1, eps=0)),
    "rmsprop": ("rmsprop", dict(learning_rate=0.01)),
    "rmsprop_momentum_decay": ("rmsprop", dict(learning_rate=0.01, alpha=0.9, momentum=0.8, weight_decay=0.05,
                                               eps=1e-4)),
    "rmsprop_alpha_0": ("rmsprop", dict(learning_rate=0.01, alpha=0, eps=0)),
    "adam": ("adam", dict(learning_rate=0.02)),
    "adam_decay": ("adam", dict(learning_rate=0.02, weight_decay=0.05, beta1=0.8, beta2=0.95, eps=1e-4)),
    "adam_betas_0": ("adam", dict(learning_rate=0.02, beta1=0, beta2=0)),
    "adam_eps_0": ("adam", dict(learning_rate=0.02, eps=0)),
    "adamw": ("adamw", dict(learning_rate=0.02)),
    "adamw_decay": ("adamw", dict(learning_rate=0.02, weight_decay=0.3, beta1=0)),
    "lamb": ("lamb", dict(learning_rate=0.02)),
    "lamb_uncorrected": ("lamb", dict(learning_rate=0.02, bias_correction=False, weight_decay=0, beta2=0.99)),
    "lamb_all_roles": ("lamb", dict(learning_rate=0.02, weight_decay=0.1, trust_ratio=True)),
    "lion": ("lion", dict(learning_rate=0.02)),
    "lion_decay": ("lion", dict(learning_rate=0.02, weight_decay=0.3, beta1=0, beta2=0.9)),
    "muon": ("muon", dict(learning_rate=0.02)),
    "muon_decay": ("muon", dict(learning_rate=0.05, weight_decay=0.2, momentum=0.9, nesterov=False, eps=1e-8,
                                fallback_learning_rate=0.01)),
}
DEFAULTS = {
    "sgd": dict(weight_decay=0, momentum=0, nesterov=False), "adagrad": dict(weight_decay=0, eps=1e-10),
    "rmsprop": dict(weight_decay=0, momentum=0, alpha=0.99, eps=1e-8),
    "adam": dict(weight_decay=0, beta1=0.9, beta2=0.999, eps=1e-8),
    "adamw": dict(weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8),
    "lamb": dict(weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-6, bias_correction=True, trust_ratio=False),
    "lion": dict(weight_decay=0, beta1=0.9, beta2=0.99),
    "muon": dict(weight_decay=0, momentum=0.95, nesterov=True, beta1=0.9, beta2=0.95, eps=1e-10,
                 fallback_learning_rate=3e-4),
}


def ratio(a, b):
    """a / b, and 0 where b is: no gradient has come and eps = 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


class State(dict):
    """What a rule keeps for one tensor, 0 at the start."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def __missing__(self, key):
        self[key] = np.zeros(self.shape)
        return self[key]


def sgd(w, g, s, t, o, role, decay):
    g = g + decay * w
    if o["momentum"]:
        s["velocity"] = o["momentum"] * s["velocity"] + g
        g = g + o["momentum"] * s["velocity"] if o["nesterov"] else s["velocity"]
    return w - o["learning_rate"] * g


def adagrad(w, g, s, t, o, role, decay):
    g = g + decay * w
    s["sum"] = s["sum"] + g ** 2
    return w - o["learning_rate"] * ratio(g, np.sqrt(s["sum"]) + o["eps"])


def rmsprop(w, g, s, t, o, role, decay):
    g = g + decay * w
    s["square"] = o["alpha"] * s["square"] + (1 - o["alpha"]) * g ** 2
    step = ratio(g, np.sqrt(s["square"]) + o["eps"])
    s["velocity"] = o["momentum"] * s["velocity"] + step
    return w - o["learning_rate"] * s["velocity"]


def moments(g, s, t, o):
    """Kingma and Ba, Algorithm 1: the direction before the rate."""
    s["m"] = o["beta1"] * s["m"] + (1 - o["beta1"]) * g
    s["v"] = o["beta2"] * s["v"] + (1 - o["beta2"]) * g ** 2
    if not o.get("bias_correction", True):
        return ratio(s["m"], np.sqrt(s["v"]) + o["eps"])
    m_hat = s["m"] / (1 - o["beta1"] ** t)
    v_hat = s["v"] / (1 - o["beta2"] ** t)
    return ratio(m_hat, np.sqrt(v_hat) + o["eps"])


def adam(w, g, s, t, o, role, decay):
    return w - o["learning_rate"] * moments(g + decay * w, s, t, o)


def adamw(w, g, s, t, o, role, decay):
    """Loshchilov and Hutter, Algorithm 2: the decay does not pass through the moments."""
    return w * (1 - o["learning_rate"] * decay) - o["learning_rate"] * moments(g, s, t, o)


def lamb(w, g, s, t, o, role, decay):
    """You et al., Algorithm 2, phi the identity."""
    update = moments(g, s, t, o) + decay * w
    trust = 1.0
    if role == "weight" or o["trust_ratio"]:
        of_w, of_update = np.linalg.norm(w), np.linalg.norm(update)
        trust = of_w / of_update if of_w > 0 and of_update > 0 else 1.0
    return w - o["learning_rate"] * trust * update


def lion(w, g, s, t, o, role, decay):
    """Chen et al., Algorithm 2."""
    c = o["beta1"] * s["m"] + (1 - o["beta1"]) * g
    s["m"] = o["beta2"] * s["m"] + (1 - o["beta2"]) * g
    return w - o["learning_rate"] * (np.sign(c) + decay * w)


def newton_schulz(g):
    a, b, c = 3.4445, -4.7750, 2.0315
    norm = np.linalg.norm(g)
    if norm == 0:
        return np.zeros_like(g)
    x = g / norm
    if g.shape[0] > g.shape[1]:
        x = x.T
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if g.shape[0] > g.shape[1] else x


def muon(w, g, s, t, o, role, decay):
    if role != "weight" or w.ndim != 2:
        return adamw(w, g, s, t, {**o, "learning_rate": o["fallback_learning_rate"]}, role, decay)
    s["b"] = o["momentum"] * s["b"] + g
    direction = newton_schulz(g + o["momentum"] * s["b"] if o["nesterov"] else s["b"])
    scale = math.sqrt(max(1, w.shape[0] / w.shape[1]))
    return w - o["learning_rate"] * (scale * direction + decay * w)


def torch_optimizer(rule, groups, o):
    betas = float(o.get("beta1", 0.9)), float(o.get("beta2", 0.999))
    adam_like = dict(lr=o["learning_rate"], betas=betas, eps=o.get("eps", 0))
    if rule == "sgd":
        return torch.optim.SGD(groups, lr=o["learning_rate"], momentum=o["momentum"], nesterov=o["nesterov"])
    if rule == "adagrad":
        return torch.optim.Adagrad(groups, lr=o["learning_rate"], eps=o["eps"])
    if rule == "rmsprop":
        return torch.optim.RMSprop(groups, lr=o["learning_rate"], alpha=o["alpha"], eps=o["eps"],
                                   momentum=o["momentum"])
    if rule == "adam":
        return torch.optim.Adam(groups, **adam_like)
    if rule == "adamw":
        return torch.optim.AdamW(groups, **adam_like)
    if rule == "muon":
        return torch.optim.Muon([g for g in groups if g["params"][0].ndim == 2], lr=o["learning_rate"],
                                momentum=o["momentum"], nesterov=o["nesterov"], adjust_lr_fn="original")
    return None


def check_against_torch(name, rule, o, start, gradients, steps):
    tensors = {key: torch.nn.Parameter(torch.tensor(v)) for key, v in start.items() if v.size}
    groups = [dict(params=[p], weight_decay=o["weight_decay"] if role == "weight" else 0)
              for (key, _, role, _) in PARAMETERS if (p := tensors.get(key)) is not None]
    optimizer = torch_optimizer(rule, groups, o)
    if optimizer is None or o.get("eps", 1) == 0:  # PyTorch gives NaN there
        return "NumPy alone"
    moved = [id(p) for group in optimizer.param_groups for p in group["params"]]
    worst = 0.0
    for row, step in zip(gradients, steps):
        for key, p in tensors.items():
            p.grad = torch.tensor(row[key])
        optimizer.step()
        for key, p in tensors.items():
            if id(p) in moved:
                worst = max(worst, float(np.max(np.abs(p.detach().numpy() - step[key]))))
    # Muon's norm is at least 1e-7 there, its coefficients the same.
    assert worst < 1e-12, f"{name}: PyTorch differs by {worst}"
    return f"PyTorch within {worst:.1e}"


def split(numbers):
    result, at = {}, 0
    for name, shape, _, _ in PARAMETERS:
        size = math.prod(shape)
        result[name] = np.array(numbers[at:at + size], dtype=np.float64).reshape(shape)
        at += size
    return result


def trajectory(rule, o, start, gradients):
    values = {key: v.copy() for key, v in start.items()}
    states = {name: State(shape) for name, shape, _, _ in PARAMETERS}
    steps = []
    for t, row in enumerate(gradients, 1):
        for name, _, role, _ in PARAMETERS:
            decay = o["weight_decay"] if role == "weight" else 0
            values[name] = globals()[rule](values[name], row[name], states[name], t, o, role, decay)
        steps.append({key: v.copy() for key, v in values.items()})
    return steps


def flat(values):
    return [float(f"{v:.13g}") for name, _, _, _ in PARAMETERS for v in values[name].flatten()]


def main():
    draw = random.Random(1)

    def dyadic():
        return draw.randint(-128, 128) / 64

    start, first = [], []
    for name, shape, _, value in PARAMETERS:
        size = math.prod(shape)
        start += [dyadic() if value is None else value for _ in range(size)]
        first += [dict(weight=k >= 3, gate=False, wide=False).get(name, True) for k in range(size)]
    gradients = [[dyadic() for _ in start] for _ in range(STEPS)]
    gradients[0] = [g if keep else 0 for g, keep in zip(gradients[0], first)]
    tensors, rows = split(start), [split(row) for row in gradients]
    result = {"parameters": [{"name": n, "shape": s, "role": r} for n, s, r, _ in PARAMETERS], "start": start,
              "gradients": gradients, "rules": {}}
    torch.Tensor.bfloat16 = torch.Tensor.clone  # for Muon, which asks for nothing else
    for name, (rule, options) in RULES.items():
        o = {**DEFAULTS[rule], **options}
        steps = trajectory(rule, o, tensors, rows)
        print(f"{name}: {check_against_torch(name, rule, o, tensors, rows, steps)}")
        result["rules"][name] = {"rule": rule, "options": options, "steps": [flat(step) for step in steps]}
    text = json.dumps(result, separators=(",", ":")).replace("],[", "],\n[").replace("},{", "},\n{")
    (Path(__file__).parent / "trajectories.json").write_text(text + "\n")


main()
