"""Writes attention.json: torch.nn.MultiheadAttention in f64, outputs and gradients.

python3 attention.py     (written with torch 2.13)

Inputs, parameters and output gradients are formulas that the test repeats: element i of array number n is
sin(0.7 i + n) (parameters: half of it). Boolean masks of PyTorch's are true where a key is hidden.
"""
import json
from pathlib import Path

import torch

D, HEADS, BATCH, TOKENS, KEYS = 6, 2, 2, 4, 5
HIDDEN = -float("inf")


def wave(shape, number, factor=1.0):
    n = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (factor * torch.sin(0.7 * n + number)).reshape(shape)


def run(cross=False, causal=False, mask=None, key_mask=None):
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(D, HEADS, batch_first=True, dtype=torch.float64)
    for number, parameter in enumerate(layer.parameters()):
        parameter.data = wave(parameter.shape, number, 0.5)
    x = wave((BATCH, TOKENS, D), 10).requires_grad_()
    memory = wave((BATCH, KEYS, D), 11).requires_grad_() if cross else x
    if causal:
        mask = torch.triu(torch.ones(TOKENS, TOKENS, dtype=torch.bool), 1)
    y, _ = layer(x, memory, memory, attn_mask=mask, key_padding_mask=key_mask, need_weights=False)
    y.backward(wave(y.shape, 12))
    result = {"y": y, "d_x": x.grad}
    if cross:
        result["d_memory"] = memory.grad
    result |= {f"d_{name}": p.grad for name, p in layer.named_parameters()}
    return {"cross": cross, "causal": causal, "mask": numbers(mask, causal), "key_mask": numbers(key_mask)} | {
        name: value.flatten().tolist() for name, value in result.items()}


def numbers(mask, left_out=False):
    """As what is added to the scores, "-inf" where hidden; empty where there is none."""
    if mask is None or left_out:
        return []
    if mask.dtype == torch.bool:
        mask = torch.where(mask, HIDDEN, 0.0)
    return ["-inf" if v == HIDDEN else v for v in mask.double().flatten().tolist()]


def hide(shape, *where):
    mask = torch.zeros(shape, dtype=torch.bool)
    for index in where:
        mask[index] = True
    return mask


additive = wave((TOKENS, TOKENS), 20)
additive[1, 2] = HIDDEN
cases = {
    "self": run(),
    "causal": run(causal=True),
    "additive mask": run(mask=additive),
    "boolean mask": run(mask=hide((TOKENS, TOKENS), (0, 1), (2, 3), (2, 0))),
    "mask of keys": run(key_mask=hide((BATCH, TOKENS), (0, 3), (1, 0))),
    "both masks": run(mask=hide((TOKENS, TOKENS), (0, 1), (2, 3)), key_mask=hide((BATCH, TOKENS), (0, 3), (1, 0))),
    "cross": run(cross=True),
    "cross, mask of keys": run(cross=True, key_mask=hide((BATCH, KEYS), (0, 4), (1, 3), (1, 4))),
}
Path(__file__).with_suffix(".json").write_text(json.dumps({"shape": [BATCH, TOKENS, D], "heads": HEADS, "keys": KEYS,
                                                            "cases": cases}))
