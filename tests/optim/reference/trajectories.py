"""Writes trajectories.json and schedules.json: what PyTorch's optimisers and OneCycleLR do.

python3 trajectories.py     (written with torch 2.13)

Parameters: a weight [3, 2] (decayed), a bias [2] (not decayed), a gate [1], an empty norm parameter [0]. The gradients
of 20 steps are given, not computed: multiples of 1/64, those of the first step 0 for half of the weight and the gate.
"""
import json
import random
from pathlib import Path

import torch

SHAPES = {"weight": [3, 2], "bias": [2], "gate": [1], "norm": [0]}
SIZES = {"weight": 6, "bias": 2, "gate": 1, "norm": 0}
STEPS = 20
RULES = {
    "sgd": ("SGD", dict(lr=0.1)),
    "sgd_decay": ("SGD", dict(lr=0.1, weight_decay=0.05)),
    "sgd_momentum": ("SGD", dict(lr=0.05, momentum=0.9)),
    "sgd_nesterov_decay": ("SGD", dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.05)),
    "adagrad": ("Adagrad", dict(lr=0.1)),
    "adagrad_decay": ("Adagrad", dict(lr=0.1, weight_decay=0.05, eps=1e-3)),
}
SCHEDULES = [  # total, warmup_fraction, start_divisor, final_divisor
    (1, 0.3, 25.0, 1e4), (2, 0.3, 25.0, 1e4), (3, 0.3, 25.0, 1e4), (10, 0.3, 25.0, 1e4), (100, 0.3, 25.0, 1e4),
    (10, 0.0, 25.0, 1e4), (7, 1.0, 10.0, 100.0), (13, 0.45, 4.0, 50.0),
]


def dyadic(draw, n):
    return [draw.randint(-128, 128) / 64 for _ in range(n)]


def rounded(values):
    return [float(f"{v:.13g}") for v in values]


def flat(parameters):
    return rounded(v for p in parameters.values() for v in p.detach().flatten().tolist())


def trajectories():
    draw = random.Random(1)
    start = dyadic(draw, 9)
    gradients = [dyadic(draw, 9) for _ in range(STEPS)]
    gradients[0] = [0 if k < 3 or k == 8 else g for k, g in enumerate(gradients[0])]
    result = {"start": start, "gradients": gradients, "rules": {}}
    for name, (rule, options) in RULES.items():
        parameters, at = {}, 0
        for key, size in SIZES.items():
            values = torch.tensor(start[at:at + size], dtype=torch.float64).reshape(SHAPES[key])
            parameters[key] = torch.nn.Parameter(values)
            at += size
        decay = options.get("weight_decay", 0)
        groups = [dict(params=[p], weight_decay=decay if key == "weight" else 0) for key, p in parameters.items()]
        optimizer = getattr(torch.optim, rule)(groups, **{k: v for k, v in options.items() if k != "weight_decay"})
        steps = []
        for row in gradients:
            at = 0
            for key, p in parameters.items():
                p.grad = torch.tensor(row[at:at + SIZES[key]], dtype=torch.float64).reshape(SHAPES[key])
                at += SIZES[key]
            optimizer.step()
            steps.append(flat(parameters))
        result["rules"][name] = {"options": options, "steps": steps}
    return result


def schedules():
    result = []
    for total, warmup, start, final in SCHEDULES:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=total, pct_start=warmup,
                                                       div_factor=start, final_div_factor=final)
        rates = []
        for step in range(total):  # step t uses the rate that stands when optimizer.step() is called
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step + 1 < total:
                schedule.step()
        result.append({"total": total, "warmup_fraction": warmup, "start_divisor": start, "final_divisor": final,
                       "learning_rate": 0.02, "rates": rounded(rates)})
    return result


def write(name, value):
    text = json.dumps(value, separators=(",", ":"))
    (Path(__file__).parent / name).write_text(text.replace("],[", "],\n[").replace("},{", "},\n{") + "\n")


write("trajectories.json", trajectories())
write("schedules.json", schedules())
