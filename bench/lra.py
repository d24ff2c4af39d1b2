"""Steps a second of Long Range Arena's Text model on random bytes, with cosformer's operator and with softmax attention.

    python bench/lra.py LIBRARY [--device cpu] [--lengths 1024,2048,3072,4096] [--batch 32] [--json FILE]

LIBRARY is libcosformer_ops.so; on a GPU one of a build with COSFORMER_CUDA=ON. The model is the encoder of the benchmark's
official Text configuration: bytes, a token in front that is classified, learned positions, 4 layers of width 256 with 4
heads and an MLP of 1,024, norms first, dropout 0.1 (not of attention weights, which the operator has none of). A step is
forward, backward and AdamW over one batch; on a GPU in bfloat16 by autocast, and replayed as a CUDA graph. Before anything is
timed each attention's loss and gradients are compared with those of its definition in float64 and the same weights: they
may be twice as far from it as the definition's own evaluation in float32, and in the precision that is timed. On a GPU, losses of replayed
steps are compared with those of steps without a graph. Figures are the best of three stretches.
"""
import argparse
import datetime
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, MLP, LAYERS, BYTES, CLASSES = 256, 4, 1024, 4, 257, 2


def operator(q, k, v):
    return torch.ops.cosformer.attention(q, k, v, horizon=q.shape[1])


def sdpa(q, k, v):
    return F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2)


def wide(x):
    return x.transpose(1, 2).to(torch.promote_types(x.dtype, torch.float32))


def cosformer_definition(q, k, v):
    a, b, c = map(wide, (q, k, v))
    i = torch.arange(q.shape[1], device=q.device, dtype=a.dtype)
    weights = a.relu() @ b.relu().mT * torch.cos(math.pi * (i[:, None] - i) / (2 * len(i)))
    return (weights @ c / weights.sum(-1, keepdim=True).clamp_min(1e-6)).transpose(1, 2).to(v.dtype)


def softmax_definition(q, k, v):
    a, b, c = map(wide, (q, k, v))
    return ((a @ b.mT / math.sqrt(q.shape[-1])).softmax(-1) @ c).transpose(1, 2).to(v.dtype)


ATTENTIONS = {"cosformer": (operator, cosformer_definition), "softmax": (sdpa, softmax_definition)}


class Layer(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.projections, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, MLP), nn.Linear(MLP, WIDTH)
        self.dropout = dropout

    def forward(self, x, attention):
        drop = lambda y: F.dropout(y, self.dropout, self.training)
        heads = self.projections(self.attention_norm(x)).unflatten(-1, (3, HEADS, -1))
        x = x + drop(self.output(attention(*heads.unbind(2)).flatten(2)))
        return x + drop(self.down(drop(F.gelu(self.up(self.mlp_norm(x))))))


class Classifier(nn.Module):
    def __init__(self, length, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(BYTES, WIDTH)
        self.first = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(length + 1, WIDTH) * 0.02)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.hidden, self.classes = nn.Linear(WIDTH, MLP), nn.Linear(MLP, CLASSES)
        self.dropout = dropout

    def forward(self, tokens, attention):
        x = torch.cat([self.first.expand(len(tokens), -1, -1), self.embedding(tokens)], 1) + self.positions
        x = F.dropout(x, self.dropout, self.training)
        for layer in self.layers:
            x = layer(x, attention)
        return self.classes(F.relu(self.hidden(self.norm(x[:, 0]))))


class Setting:
    """Device, precision, and whether steps are replayed."""

    def __init__(self, device, dtype, graph):
        self.device, self.dtype, self.graph = device, dtype, graph

    def autocast(self):
        return torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32)

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()


def batch(length, count, seed, device):
    numbers = torch.Generator().manual_seed(seed)
    tokens = torch.randint(256, (count, length), generator=numbers)
    return tokens.to(device), torch.randint(CLASSES, (count,), generator=numbers).to(device)


def loss_and_gradients(model, data, attention, setting):
    model.zero_grad()
    with setting.autocast():
        loss = F.cross_entropy(model(data[0], attention).double(), data[1])
    loss.backward()
    return loss.item(), torch.cat([p.grad.double().flatten() for p in model.parameters()])


def check_function(name, length, setting):
    """Loss and gradients of both evaluations with one model's weights, against float64."""
    torch.manual_seed(1)
    model = Classifier(length, dropout=0).to(setting.device)
    data = batch(length, 2, 2, setting.device)
    fast, definition = ATTENTIONS[name]
    results = [loss_and_gradients(model, data, attention, setting) for attention in (fast, definition)]
    exact_loss, exact = loss_and_gradients(model.double(), data, definition, Setting(setting.device, torch.float32, False))
    errors = [max(abs(loss / exact_loss - 1), ((got - exact).norm() / exact.norm()).item()) for loss, got in results]
    allowed = 2 * errors[1] + 4 * torch.finfo(setting.dtype).eps
    dtype = str(setting.dtype).split(".")[1]
    print(f"{name}, {dtype}: loss and gradients off by {errors[0]:.1e}, the definition's own evaluation by {errors[1]:.1e}")
    if not errors[0] <= allowed:
        sys.exit(f"lra.py: {name} is another function: off by {errors[0]:.2e}, expected at most {allowed:.2e}")
    return {"attention": name, "dtype": dtype, "length": length, "error": errors[0], "error_of_the_definition": errors[1]}


class Training:
    """Steps over a few batches in turns."""

    def __init__(self, name, length, count, setting, dropout=0.1):
        torch.manual_seed(1)
        self.setting, self.attention = setting, ATTENTIONS[name][0]
        self.model = Classifier(length, dropout).to(setting.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.1,
                                           fused=True, capturable=setting.device == "cuda")
        self.batches = [batch(length, count, seed, setting.device) for seed in range(4)]
        self.tokens, self.targets = (x.clone() for x in self.batches[0])
        self.taken = 0
        self.graph = None
        if setting.graph:
            self.capture()

    def compute(self):
        self.optimizer.zero_grad(set_to_none=True)
        with self.setting.autocast():
            self.loss = F.cross_entropy(self.model(self.tokens, self.attention).float(), self.targets)
        self.loss.backward()
        self.optimizer.step()

    def capture(self):
        """Weights and moments are as before: the steps that warm up are undone in place, where the graph reads them."""
        before = [p.detach().clone() for p in self.model.parameters()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.compute()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.compute()
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), before):
                parameter.copy_(value)
                for memory in self.optimizer.state[parameter].values():
                    memory.zero_()

    def step(self):
        tokens, targets = self.batches[self.taken % len(self.batches)]
        self.tokens.copy_(tokens)
        self.targets.copy_(targets)
        self.graph.replay() if self.graph else self.compute()
        self.taken += 1

    def losses(self, steps):
        values = []
        for _ in range(steps):
            self.step()
            values.append(self.loss.item())
        return values


def check_graph(name, length, setting):
    plain = Setting(setting.device, setting.dtype, False)
    replayed, expected = (Training(name, length, 4, s, dropout=0).losses(6) for s in (setting, plain))
    if not all(abs(a - b) <= 4 * torch.finfo(setting.dtype).eps * abs(b) for a, b in zip(replayed, expected)):
        sys.exit(f"lra.py: {name}: replayed steps have other losses, {replayed}, expected {expected}")


def steps_a_second(run, setting, seconds):
    """Best of three stretches; a stretch has as many steps as the first one's time suggests."""
    def stretch(steps):
        setting.wait()
        began = time.perf_counter()
        for _ in range(steps):
            run()
        setting.wait()
        return steps / (time.perf_counter() - began)

    stretch(1)
    steps = max(1, round(stretch(2) * seconds / 3))
    return max(stretch(steps) for _ in range(3))


def measure(name, length, options, setting):
    result = {"attention": name, "length": length}
    try:
        training = Training(name, length, options.batch, setting)
        result["training_steps_a_second"] = steps_a_second(training.step, setting, options.seconds_each)
        result["loss"] = training.loss.item()
        if not math.isfinite(result["loss"]):
            sys.exit(f"lra.py: {name} at {length}: expected a finite loss, got {result['loss']}")
        model = training.model.eval()

        def infer():
            with torch.no_grad(), setting.autocast():
                return model(training.tokens, training.attention)

        if not infer().isfinite().all():
            sys.exit(f"lra.py: {name} at {length}: expected finite logits")
        result["inference_steps_a_second"] = steps_a_second(infer, setting, options.seconds_each / 2)
    except torch.OutOfMemoryError:
        result["error"] = "out of memory"
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--lengths", default="1024,2048,3072,4096", type=lambda s: [int(x) for x in s.split(",")])
    parser.add_argument("--batch", default=32, type=int)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="bfloat16 on a GPU, else float32")
    parser.add_argument("--no-graph", action="store_true", help="launch every kernel of a step")
    parser.add_argument("--seconds", default=60, type=float, help="begin nothing new after this time")
    parser.add_argument("--seconds-each", default=1.5, type=float, help="of training steps that are timed")
    parser.add_argument("--json")
    options = parser.parse_args()
    began = time.monotonic()
    torch.ops.load_library(options.library)
    on_gpu = options.device == "cuda"
    dtype = getattr(torch, options.dtype or ("bfloat16" if on_gpu else "float32"))
    setting = Setting(options.device, dtype, on_gpu and not options.no_graph)
    machine = torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} threads"
    report = {"device": machine, "date": datetime.date.today().isoformat(), "torch": torch.__version__,
              "dtype": str(dtype).split(".")[1], "batch": options.batch, "graph": setting.graph, "checks": [], "results": [],
              "not_run": []}
    print(f"LRA Text, batch {options.batch}, {report['dtype']}, {machine}, PyTorch {torch.__version__}, "
          f"{'replayed steps' if setting.graph else 'without graphs'}")
    shortest = min(options.lengths)
    for name in ATTENTIONS:
        for checked in dict.fromkeys((torch.float32, dtype)):
            in_turn = Setting(options.device, checked, False)
            report["checks"].append(check_function(name, min(1024, shortest), in_turn))
        if setting.graph:
            check_graph(name, min(1024, shortest), setting)
    print("\n| length | attention | training, steps/s | inference, steps/s |\n|---|---|---|---|")
    for length in options.lengths:
        for name in ATTENTIONS:
            if time.monotonic() - began > options.seconds:
                report["not_run"].append(f"{name}, {length} bytes")
                continue
            result = measure(name, length, options, setting)
            report["results"].append(result)
            cells = [result.get(key) for key in ("training_steps_a_second", "inference_steps_a_second")]
            shown = [f"{cell:.2f}" if cell else result["error"] for cell in cells]
            print(f"| {length:,} | {name} | {shown[0]} | {shown[1]} |", flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
