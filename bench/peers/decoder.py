"""Times training steps of cosformer's decoder and of the same decoder with SDPA in PyTorch, in turns.

Both train on the same bytes, from the same weights: 6 layers, width 512, 8 heads, tied embeddings, AdamW, clipping by norm,
everything in float32 or products in bfloat16. First it checks, with attention = softmax, that both are the same function:
equal losses over three steps, so that gradients and the optimiser are compared too. Then for each length, after a step of
warm-up each, --rounds times a step of one and a step of the other. On a GPU (--device cuda --precision bfloat16 --tokens 32768
--lengths 512,2048,8192,32768) SDPA is the flash kernel. Run it by the Python of scripts/setup --python.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

LAYERS, WIDTH, HEADS, FFN, VOCABULARY = 6, 512, 8, 2048, 256
RATE, BETAS, EPS, DECAY, CLIP = 1e-3, (0.9, 0.98), 1e-8, 0.01, 1.0
RECIPE = f"""
[data]
format = "bytes"
[model]
layers = {LAYERS}
width = {WIDTH}
heads = {HEADS}
ffn_width = {FFN}
[optimizer]
learning_rate = {RATE}
beta1 = {BETAS[0]}
beta2 = {BETAS[1]}
eps = {EPS}
weight_decay = {DECAY}
clip_norm = {CLIP}
[schedule]
kind = "constant"
warmup_steps = 0
"""


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value))
        return self.output(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, FFN), nn.Linear(FFN, WIDTH)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention, self.ffn = Attention(), FeedForward()

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class Decoder(nn.Module):
    """Its parameters are named as those of a cosformer model folder."""

    def __init__(self, length):
        super().__init__()
        torch.manual_seed(1)
        self.embedding, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(length, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for table in (self.embedding, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def loss(self, inputs, targets):
        x = self.embedding(inputs) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Peer:
    """PyTorch's training step."""

    def __init__(self, options, data, length):
        self.model = Decoder(length).to(options.device)
        self.device, self.narrow = options.device, options.precision == "bfloat16"
        matrices = [p for p in self.model.parameters() if p.dim() > 1]
        vectors = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0}]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPS, fused=True)
        tokens = torch.tensor(list(data), device=options.device)
        self.inputs, self.targets = tokens[:-1].view(-1, length), tokens[1:].view(-1, length)

    def step(self):
        start = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        with contextlib.ExitStack() as choices:
            if self.narrow:
                choices.enter_context(torch.autocast(self.device, torch.bfloat16))
                if self.device == "cuda":
                    choices.enter_context(sdpa_kernel(SDPBackend.FLASH_ATTENTION))
            loss = self.model.loss(self.inputs, self.targets)
            loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        value = loss.item()
        return value, time.perf_counter() - start


class Ours:
    """cosformer's, in a process that takes a step when asked."""

    def __init__(self, options, folder, attention, data, length, model):
        (folder / "data").mkdir(exist_ok=True)
        (folder / "recipe.toml").write_text(RECIPE)
        (folder / "data" / "train.txt").write_bytes(data)
        save_file({name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()},
                  folder / "model.safetensors")
        arguments = [options.program, "bench", "training", folder / "recipe.toml", "--wait", "--steps=1000000",
                     f"--init={folder}", f"--threads={options.threads}", f"--data.path={folder / 'data'}",
                     f"--model.attention={attention}",
                     f"--train.device={options.device}", f"--train.precision={options.precision}",
                     f"--train.sequence_length={length}", f"--train.batch_size={(len(data) - 1) // length}"]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step(self):
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"decoder.py: cosformer ended with exit code {self.process.wait()}")
        report = json.loads(line)
        return report["loss"], report["step_seconds"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def text(count):
    return bytes(random.Random(1).choices(range(97, 123), k=count + 1))


def check(options, folder):
    length, data = 512, text(4 * 512)
    peer = Peer(options, data, length)
    ours = Ours(options, folder, "softmax", data, length, peer.model)
    allowed = 1e-5 if options.precision == "float32" else 2e-3
    for step in range(1, 4):
        expected, got = peer.step()[0], ours.step()[0]
        print(f"loss of step {step}, attention = softmax: cosformer {got:.7f}, PyTorch {expected:.7f}", flush=True)
        if not abs(got - expected) <= allowed * abs(expected):
            sys.exit(f"decoder.py: expected the same loss to {allowed}, got {got} and {expected} at step {step}")
    ours.end()


def compare(options, folder, length):
    data = text(options.tokens // length * length)
    peer = Peer(options, data, length)
    ours = Ours(options, folder, options.attention, data, length, peer.model)
    times = {"ours": [], "peer": []}
    for _ in range(options.rounds + 1):
        times["ours"].append(ours.step()[1])
        times["peer"].append(peer.step()[1])
    ours.end()
    a, b = (statistics.median(times[who][1:]) for who in ("ours", "peer"))
    each = ", ".join(f"{y / x:.2f}" for x, y in zip(times["ours"][1:], times["peer"][1:]))
    tokens = len(data) - 1
    print(f"| {tokens // length} x {length:,} | {a:.3f} | {b:.3f} | {tokens / a:,.0f} | {b / a:.2f} | {each} |", flush=True)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=root / "build/release/bin/cosformer")
    parser.add_argument("--attention", default="cosformer", help="what is timed against SDPA")
    parser.add_argument("--lengths", default="512,2048,8192,16384", type=lambda s: [int(x) for x in s.split(",")])
    parser.add_argument("--tokens", default=16384, type=int, help="a step")
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        check(options, folder)
        print(f"\nPyTorch {torch.__version__}, {options.device}, {options.precision}, {options.threads} threads, "
              f"{options.rounds} rounds; medians. Load of the machine before: {os.getloadavg()[0]:.1f}\n")
        print("| sequences | cosformer, s a step | SDPA, s a step | tokens a second | times faster | each round |"
              "\n|---|---|---|---|---|---|")
        for length in options.lengths:
            compare(options, folder, length)


if __name__ == "__main__":
    main()
