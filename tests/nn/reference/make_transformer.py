#!/usr/bin/env python3
"""Makes transformer/: weights (CASE.safetensors), inputs under PyTorch's argument names (CASE.npz) and outputs (CASE.npy) in f64.
Needs torch 2 and safetensors.   make_transformer.py [FOLDER]"""
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn as nn
from safetensors.torch import save_file

D, HEADS, FEED_FORWARD, LAYERS, VOCABULARY, POSITIONS = 8, 2, 12, 2, 11, 9
BATCH, TOKENS, KEYS = 3, 5, 4
HERE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "transformer")


class ReZeroEncoderLayer(nn.Module):
    """The layer of the authors' package: one resweight for both sub-layers, no norm."""

    def __init__(self, activation):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(D, HEADS, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(D, FEED_FORWARD), nn.Linear(FEED_FORWARD, D)
        self.resweight = nn.Parameter(torch.randn(1))
        self.activation = activation

    def feed_forward(self, x):
        return x + self.resweight * self.linear2(self.activation(self.linear1(x)))

    def forward(self, src, src_mask=None, src_key_padding_mask=None):
        y = self.self_attn(src, src, src, attn_mask=src_mask, key_padding_mask=src_key_padding_mask, need_weights=False)[0]
        return self.feed_forward(src + self.resweight * y)


class ReZeroDecoderLayer(ReZeroEncoderLayer):
    def __init__(self, activation):
        super().__init__(activation)
        self.multihead_attn = nn.MultiheadAttention(D, HEADS, batch_first=True)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None):
        y = self.self_attn(tgt, tgt, tgt, attn_mask=tgt_mask, key_padding_mask=tgt_key_padding_mask, need_weights=False)[0]
        x = tgt + self.resweight * y
        y = self.multihead_attn(x, memory, memory, attn_mask=memory_mask, key_padding_mask=memory_key_padding_mask,
                                need_weights=False)[0]
        return self.feed_forward(x + self.resweight * y)


class Stack(nn.Module):
    def __init__(self, make, final_norm=False):
        super().__init__()
        self.layers = nn.ModuleList(make() for _ in range(LAYERS))
        if final_norm:
            self.norm = nn.LayerNorm(D)

    def forward(self, x, *rest, **masks):
        for layer in self.layers:
            x = layer(x, *rest, **masks)
        return self.norm(x) if hasattr(self, "norm") else x


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        position = torch.arange(POSITIONS, dtype=torch.float64).unsqueeze(1)
        rate = torch.exp(torch.arange(0, D, 2, dtype=torch.float64) * (-math.log(10000.0) / D))
        pe = torch.zeros(POSITIONS, 1, D, dtype=torch.float64)
        pe[:, 0, 0::2], pe[:, 0, 1::2] = torch.sin(position * rate), torch.cos(position * rate)
        self.register_buffer("pe", pe)


class LanguageModel(nn.Module):
    """That of the notebook, batch first."""

    def __init__(self, make):
        super().__init__()
        self.pos_encoder, self.transformer_encoder = Positions(), Stack(make)
        self.encoder, self.decoder = nn.Embedding(VOCABULARY, D), nn.Linear(D, VOCABULARY)

    def forward(self, src, src_key_padding_mask=None):
        x = self.encoder(src) * math.sqrt(D) + self.pos_encoder.pe[: src.shape[1], 0]
        mask = torch.triu(torch.full((src.shape[1],) * 2, -math.inf, dtype=torch.float64), 1)
        return self.decoder(self.transformer_encoder(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask))


def pytorch_layer(kind, norm_first, activation):
    return lambda: kind(D, HEADS, FEED_FORWARD, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first)


def spread(module):
    """Norms and biases away from 1 and 0, so that a mistake shows."""
    for name, parameter in module.named_parameters():
        if "norm" in name or "bias" in name:
            nn.init.normal_(parameter, 0.7 if name.endswith("weight") else 0.1, 0.3)
    return module


def boolean_mask(rows, columns):
    mask = torch.rand(rows, columns) < 0.3
    mask[:, 0] = False  # PyTorch's own result for a row that sees nothing is NaN
    return mask


def write(case, model, main, inputs, f32=False):
    model = spread(model).double().train()  # PyTorch's fast path in eval mode rounds differently
    with torch.no_grad():
        output = model(*main, **inputs)
    save_file({k: v.float() if f32 else v.contiguous() for k, v in model.state_dict().items()}, HERE / f"{case}.safetensors")
    names = {1: ["src"], 2: ["tgt", "memory"]}[len(main)]
    np.savez(HERE / f"{case}.npz", **{k: v.numpy() for k, v in [*zip(names, main), *inputs.items()]})
    np.save(HERE / f"{case}.npy", output.numpy())


def main():
    torch.manual_seed(1)
    HERE.mkdir(exist_ok=True)
    x = torch.randn(BATCH, TOKENS, D, dtype=torch.float64)
    memory = torch.randn(BATCH, KEYS, D, dtype=torch.float64)
    tokens = torch.randint(VOCABULARY, (BATCH, TOKENS))
    padding, memory_padding = boolean_mask(BATCH, TOKENS), boolean_mask(BATCH, KEYS)
    additive, memory_additive = torch.randn(TOKENS, TOKENS).double(), torch.randn(TOKENS, KEYS).double()
    causal = torch.triu(torch.ones(TOKENS, TOKENS, dtype=torch.bool), 1)
    first_only = {"src_mask": boolean_mask(TOKENS, TOKENS)}
    encoder, decoder = nn.TransformerEncoderLayer, nn.TransformerDecoderLayer

    # PyTorch takes both masks of one type.
    def additive_padding(mask):
        return torch.zeros(mask.shape, dtype=torch.float64).masked_fill(mask, -math.inf)

    both = {"src_mask": additive, "src_key_padding_mask": additive_padding(padding)}
    write("encoder_rezero", Stack(lambda: ReZeroEncoderLayer(torch.relu)), [x], both)
    write("encoder_rezero_gelu", Stack(lambda: ReZeroEncoderLayer(nn.functional.gelu)), [x], {"src_key_padding_mask": padding})
    write("encoder_post_norm", Stack(pytorch_layer(encoder, False, "relu")), [x], first_only)
    write("encoder_pre_norm", Stack(pytorch_layer(encoder, True, "gelu"), True), [x], {})
    masks = {"tgt_mask": additive, "memory_mask": memory_additive, "tgt_key_padding_mask": additive_padding(padding),
             "memory_key_padding_mask": additive_padding(memory_padding)}
    write("decoder_rezero", Stack(lambda: ReZeroDecoderLayer(torch.relu)), [x, memory], masks)
    write("decoder_post_norm", Stack(pytorch_layer(decoder, False, "relu")), [x, memory],
          {"tgt_mask": causal, "memory_key_padding_mask": memory_padding})
    write("decoder_pre_norm", Stack(pytorch_layer(decoder, True, "relu"), True), [x, memory], {})
    write("lm_rezero", LanguageModel(lambda: ReZeroEncoderLayer(torch.relu)), [tokens], {})
    write("lm_post_norm", LanguageModel(pytorch_layer(encoder, False, "relu")), [tokens],
          {"src_key_padding_mask": additive_padding(padding)})


main()
