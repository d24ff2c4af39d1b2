"""Python reads a model folder: the safetensors package and a plain torch module give the logits that C++ gives."""
import itertools
import json
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

WRITER = sys.argv.pop(1)


class Attention(nn.Module):
    """Every kind by its quadratic definition."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.kind, self.horizon = config["heads"], config["attention"], config["horizon"]
        for name in ("query", "key", "value", "output"):
            setattr(self, name, nn.Linear(config["width"], config["width"]))

    def weights(self, q, k):
        """Not yet normalised, [B, H, T, T]."""
        if self.kind == "softmax":
            return (q @ k.mT / math.sqrt(q.shape[-1])).exp().tril()
        if self.kind == "linear":
            return ((F.elu(q) + 1) @ (F.elu(k) + 1).mT).tril()
        w = q.relu() @ k.relu().mT
        if self.horizon != "none":
            position = torch.arange(q.shape[2], dtype=q.dtype)
            w = w * torch.cos(math.pi * (position[:, None] - position) / (2 * self.horizon))
        return w.tril()

    def forward(self, x):
        def split(y):
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        w = self.weights(split(self.query(x)), split(self.key(x)))
        w = w / w.sum(-1, keepdim=True).clamp_min(1e-6)
        return self.output((w @ split(self.value(x))).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, ffn_width = config["width"], config["ffn_width"]
        self.gate = nn.Linear(width, ffn_width) if config["ffn"] == "swiglu" else None
        self.up, self.down = nn.Linear(width, ffn_width), nn.Linear(ffn_width, width)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x) if self.gate else F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(config["width"]), nn.LayerNorm(config["width"])
        self.attention, self.ffn = Attention(config), FeedForward(config)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class LanguageModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.width = config["width"]
        self.embedding = nn.Embedding(config["vocabulary_size"], self.width)
        learned = config["positions"] == "learned"
        self.positions = nn.Embedding(config["max_length"], self.width) if learned else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["layers"]))
        self.norm = nn.LayerNorm(self.width)
        tied = config["tie_embeddings"]
        self.head = None if tied else nn.Linear(self.width, config["vocabulary_size"], bias=False)

    def embed(self, tokens):
        x, position = self.embedding(tokens), torch.arange(tokens.shape[1])
        if self.positions:
            return x + self.positions(position)
        angles = position.double()[:, None] * 10000.0 ** (-torch.arange(0, self.width, 2).double() / self.width)
        return x * math.sqrt(self.width) + torch.stack([angles.sin(), angles.cos()], -1).flatten(1)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), (self.head or self.embedding).weight)


def rounding_bound(config, logits, length):
    """tests/nn/tiny_model.h: terms of the longest chain to a logit, each with the round-off of float32."""
    per_layer = 3 * config["width"] + config["ffn_width"] + 2 * length
    return 4 * (config["layers"] * per_layer + config["width"]) * 2.0**-24 * logits.abs().max().item()


class ModelLogits(unittest.TestCase):
    def test_plain_torch_gives_the_same_logits(self):
        choices = ("cosformer", "linear", "softmax"), ("learned", "sinusoidal"), ("gelu", "swiglu")
        for case in itertools.product(*choices, ("tied", "untied")):
            with self.subTest(case=case), tempfile.TemporaryDirectory() as folder:
                subprocess.run([WRITER, folder, *case], check=True)
                config = json.loads(Path(folder, "config.json").read_text())
                stored = load_file(Path(folder, "logits.safetensors"))
                tokens, logits = stored["tokens"], stored["logits"].double()
                model = LanguageModel(config)
                model.load_state_dict(load_file(Path(folder, "model.safetensors")), strict=True)
                with torch.no_grad():
                    expected = model.double()(tokens)
                error = (logits - expected).abs().max().item()
                self.assertLessEqual(error, rounding_bound(config, expected, tokens.shape[1]))


if __name__ == "__main__":
    unittest.main()
