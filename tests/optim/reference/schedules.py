"""Writes schedules.json: the rates that torch.optim.lr_scheduler gives, a row per schedule and number of steps.

python3 schedules.py     (written with torch 2.13)

The rate of step t is the one that stands when optimizer.step() is called for the t-th time. PyTorch has no inverse square
root: there the rows are Vaswani et al. 2017, Eq. 3, with the largest rate given.
"""
import json
import math
import warnings
from pathlib import Path

import torch
from torch.optim import lr_scheduler

RATE = 0.02


def one_cycle(o, total):
    return lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, max_lr=RATE, total_steps=total, pct_start=o["warmup_fraction"], div_factor=o["start_divisor"],
        final_div_factor=o["final_divisor"])


def warmup(o, total):
    steps = o["warmup_steps"]

    def make(optimizer):
        if o["after"] == "inverse_sqrt":
            return lr_scheduler.LambdaLR(optimizer, lambda k: min((k + 1) / steps, math.sqrt(steps / (k + 1))))
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / steps, total_iters=max(1, steps - 1))
        if o["after"] == "constant" or total <= steps:
            return rise
        fall = lr_scheduler.CosineAnnealingLR(optimizer, T_max=total - steps, eta_min=o["final_fraction"] * RATE)
        return lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[steps])

    return make


MAKERS = {
    "one_cycle": one_cycle,
    "step": lambda o, total: lambda optimizer: lr_scheduler.StepLR(optimizer, o["step_size"], o["gamma"]),
    "multi_step": lambda o, total: lambda optimizer: lr_scheduler.MultiStepLR(optimizer, o["milestones"], o["gamma"]),
    "exponential": lambda o, total: lambda optimizer: lr_scheduler.ExponentialLR(optimizer, o["gamma"]),
    "cosine": lambda o, total: lambda optimizer: lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=total, eta_min=o["final_fraction"] * RATE),
    "linear_warmup": warmup,
}


def cycle(total, fraction=0.3, start=25.0, final=1e4):
    return total, dict(name="one_cycle", warmup_fraction=fraction, start_divisor=start, final_divisor=final)


ROWS = [cycle(1), cycle(2), cycle(3), cycle(10), cycle(100), cycle(10, 0.0), cycle(7, 1.0, 10.0, 100.0),
        cycle(13, 0.45, 4.0, 50.0)]
for n in (1, 2, 3, 10, 57):
    ROWS += [(n, dict(name="step", step_size=3, gamma=0.5)), (n, dict(name="step", step_size=1, gamma=0.9)),
             (n, dict(name="multi_step", milestones=[1, 2, 7, 30], gamma=0.1)),
             (n, dict(name="exponential", gamma=0.97)), (n, dict(name="cosine", final_fraction=0.0)),
             (n, dict(name="cosine", final_fraction=0.1))]
    for w in (2, 5, 20):
        ROWS += [(n, dict(name="linear_warmup", warmup_steps=w, after="constant")),
                 (n, dict(name="linear_warmup", warmup_steps=w, after="cosine", final_fraction=0.05)),
                 (n, dict(name="linear_warmup", warmup_steps=w, after="inverse_sqrt"))]


def rates(total, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE, momentum=0.9)
    schedule = MAKERS[options["name"]](options, total)(optimizer)
    result = []
    for step in range(total):
        result.append(float(f"{optimizer.param_groups[0]['lr']:.13g}"))
        optimizer.step()
        if step + 1 < total:
            schedule.step()
    return result


warnings.simplefilter("ignore")  # SequentialLR's own use of step(epoch)
table = [{"total": n, "options": o, "learning_rate": RATE, "rates": rates(n, o)} for n, o in ROWS]
text = json.dumps(table, separators=(",", ":")).replace("},{", "},\n{")
(Path(__file__).parent / "schedules.json").write_text(text + "\n")
