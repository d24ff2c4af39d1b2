"""Times causal cosFormer by fast-transformers' causal product: forward, and forward with backward.

Arguments: heads width threads rounds length...
Prints a JSON list of {length, pass, milliseconds: [...]}, or {"missing": ...} where a module is not installed.
A wrong result ends it with an error.
"""
import json
import math
import sys
import time

try:
    import torch
    from fast_transformers.causal_product import causal_dot_product
except ImportError as error:
    print(json.dumps({"missing": str(error)}))
    sys.exit()

heads, width, threads, rounds, *lengths = map(int, sys.argv[1:])
torch.set_num_threads(threads)


def features(x):  # [1, H, T, K] -> [1, H, T, 2 K], horizon T
    T = x.shape[2]
    theta = torch.arange(T, dtype=torch.float64)[:, None] * (math.pi / (2 * T))
    x = torch.relu(x)
    return torch.cat([x * theta.cos().to(x.dtype), x * theta.sin().to(x.dtype)], -1)


def attention(q, k, v):
    q, k = features(q), features(k)
    denominator = (q * k.cumsum(2)).sum(-1, keepdim=True).clamp_min(1e-6)
    return causal_dot_product(q, k, v) / denominator


def definition(q, k, v):
    weights = (features(q) @ features(k).transpose(-1, -2)).tril()
    return weights @ v / weights.sum(-1, keepdim=True).clamp_min(1e-6)


def inputs(heads, T):
    made = [torch.randn(1, heads, T, width) + mean for mean in (1, 1, 0)]
    return [x.requires_grad_() for x in made], torch.randn(1, heads, T, width)


def run(tensors, d_output, backward, function=attention):
    with torch.set_grad_enabled(backward):
        output = function(*tensors)
    return (output, *torch.autograd.grad(output, tensors, d_output)) if backward else (output,)


def check(T):
    tensors, d_output = inputs(1, T)
    exact = run([x.detach().double().requires_grad_() for x in tensors], d_output.double(), True, definition)
    for got, expected in zip(run(tensors, d_output, True), exact):
        if not (got.double() - expected).norm() <= 1e-4 * expected.norm():
            sys.exit(f"fast-transformers: a wrong result at T = {T}")


def measure(T, backward):
    tensors, d_output = inputs(heads, T)
    run(tensors, d_output, backward)
    milliseconds = []
    for _ in range(rounds):
        spent, calls = 0, 0
        while calls == 0 or (calls < 20 and spent < 50):
            start = time.perf_counter()
            run(tensors, d_output, backward)
            milliseconds.append((time.perf_counter() - start) * 1e3)
            spent, calls = spent + milliseconds[-1], calls + 1
    return milliseconds


check(200)
rows = []
for T in lengths:
    check(min(T, 2048))
    for name, backward in (("forward", False), ("forward+backward", True)):
        rows.append({"length": T, "pass": name, "milliseconds": measure(T, backward)})
print(json.dumps(rows))
