#!/usr/bin/env python3
"""Makes resnet.json: names, shapes, outputs and gradients of PyTorch's ResNets in f64, and resnet8_rezero.safetensors with its logits.
Weights are drawn by the generator of tests/support/lcg.h in the order of the names. Needs torch 2 and safetensors.   make_resnet.py [FOLDER]"""
import json
import math
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
torch.set_default_dtype(torch.float64)


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def draw(self, shape):
        values = []
        for _ in range(math.prod(shape)):
            self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
            values.append(2 * ((self.state >> 11) * 2.0**-53) - 1)
        return torch.tensor(values).reshape(shape)


def fill(model):
    lcg = Lcg(8)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            u = lcg.draw(value.shape)
            if name.endswith("running_var"):
                value.copy_(1 + 0.5 * u)
            elif value.dim() > 1:
                value.copy_(u * math.sqrt(6 / value[0].numel()))
            elif name.endswith("weight"):  # of norms, and gates
                value.copy_(1 + 0.25 * u)
            else:
                value.copy_(0.25 * u)


def conv(inputs, outputs, kernel=3, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)


class Block(nn.Module):
    """He's block, or with `rezero` that of the authors' notebook."""

    def __init__(self, inputs, outputs, stride, rezero, norm):
        super().__init__()
        self.conv1, self.conv2 = conv(inputs, outputs, stride=stride, bias=not norm), conv(outputs, outputs, bias=not norm)
        self.bn1, self.bn2 = (nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)) if norm else (nn.Identity(), nn.Identity())
        if rezero:
            self.resweight = nn.Parameter(torch.zeros(1))
        self.rezero, self.stride, self.more = rezero, stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return x + self.resweight * F.relu(y) if self.rezero else F.relu(x + y)


class FixupBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, *_):
        super().__init__()
        self.conv1, self.conv2 = conv(inputs, outputs, stride=stride), conv(outputs, outputs)
        for name in ("bias_in", "bias1b", "bias2a", "resweight", "bias_out"):
            setattr(self, name, nn.Parameter(torch.zeros(1)))
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x + self.bias_in) + self.bias1b) + self.bias2a) * self.resweight + self.bias_out
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(x + y)


class ResNet(nn.Module):
    def __init__(self, block, rezero=False, norm=True, n=1):
        super().__init__()
        fixup = block is FixupBlock
        self.conv1 = conv(3, 16, bias=not norm and not fixup)
        self.bn1 = nn.BatchNorm2d(16) if norm else nn.Identity()
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64)):
            blocks = []
            for j in range(n):
                blocks.append(block(inputs, outputs, 2 if stage > 0 and j == 0 else 1, rezero, norm))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)
        if fixup:
            self.bias1, self.bias2 = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.fixup = fixup

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(self.bn1(x + self.bias1 if self.fixup else x))
        x = self.layer3(self.layer2(self.layer1(x))).mean((2, 3))
        return self.linear(x + self.bias2 if self.fixup else x)


class PreActBlock(nn.Module):
    def __init__(self, inputs, inner, outputs, stride, bottleneck, rezero):
        super().__init__()
        sizes = [(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)] if bottleneck else \
            [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        for k, (i, o, kernel, s) in enumerate(sizes, 1):
            setattr(self, f"bn{k}", nn.BatchNorm2d(i))
            setattr(self, f"conv{k}", conv(i, o, kernel, s))
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride))
        if rezero:
            self.resweight = nn.Parameter(torch.zeros(1))
        self.convolutions = len(sizes)

    def forward(self, x):
        h = F.relu(self.bn1(x))
        skip = self.shortcut(h) if hasattr(self, "shortcut") else x
        h = self.conv1(h)
        for k in range(2, self.convolutions + 1):
            h = getattr(self, f"conv{k}")(F.relu(getattr(self, f"bn{k}")(h)))
        return skip + self.resweight * h if hasattr(self, "resweight") else skip + h


class PreActResNet(nn.Module):
    def __init__(self, blocks, bottleneck, rezero):
        super().__init__()
        self.conv1 = conv(3, 64)
        inputs = 64
        for stage, count in enumerate(blocks):
            inner = 64 << stage
            outputs = inner * (4 if bottleneck else 1)
            layers = []
            for j in range(count):
                layers.append(PreActBlock(inputs, inner, outputs, 2 if stage > 0 and j == 0 else 1, bottleneck, rezero))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.linear = nn.Linear(inputs, 10)

    def forward(self, x):
        return self.linear(self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x))))).mean((2, 3)))


CASES = {  # name: model, images
    "resnet8_plain": (lambda: ResNet(Block), (3, 3, 8, 8)),
    "resnet14_rezero": (lambda: ResNet(Block, rezero=True, n=2), (3, 3, 8, 8)),
    "resnet8_rezero_without_norm": (lambda: ResNet(Block, rezero=True, norm=False), (2, 3, 8, 4)),
    "resnet8_fixup": (lambda: ResNet(FixupBlock, norm=False), (2, 3, 8, 4)),
    "preact18_plain": (lambda: PreActResNet((2, 2, 2, 2), False, False), (3, 3, 8, 8)),
    "preact50_rezero": (lambda: PreActResNet((3, 4, 6, 3), True, True), (4, 3, 16, 8)),
}

cases = {}
for name, (make, shape) in CASES.items():
    model = make()
    fill(model)
    x = Lcg(9).draw(shape)
    result = {"images": list(shape), "shapes": [[k, list(v.shape)] for k, v in model.state_dict().items()]}
    model.eval()
    result["logits"] = model(x).flatten().tolist()
    model.train()
    y = model(x)
    (y**2).sum().backward()
    result["training_logits"] = y.flatten().tolist()
    result["gradient_norms"] = {k: p.grad.norm().item() for k, p in model.named_parameters()}
    result["running_norms"] = {k: b.norm().item() for k, b in model.named_buffers() if "running" in k}
    cases[name] = result
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
(HERE / "resnet.json").write_text(f'{{"source": "PyTorch {torch.__version__}, make_resnet.py", "cases": {{\n{lines}\n}}}}\n')

model = ResNet(Block, rezero=True)
fill(model)
model = model.float().eval()
save_file(model.state_dict(), HERE / "resnet8_rezero.safetensors")
with torch.no_grad():
    logits = model(Lcg(9).draw((2, 3, 8, 8)).float())
(HERE / "resnet8_rezero.json").write_text(json.dumps({"logits": logits.flatten().tolist()}) + "\n")
