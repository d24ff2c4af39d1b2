"""Times the operator on a GPU beside PyTorch's flash SDPA and, where installed, fla's linear attention.

    python bench/gpu.py LIBRARY [--json FILE] [--seconds N] [--shape B,T,H,K ...] [--dtype bfloat16]

LIBRARY is libcosformer_ops.so of a build with COSFORMER_CUDA=ON. Percent of the floor: the time that copying takes that
the operator must read and write at least (forward q, k, v, o; with backward 12 tensors of that size), at the bandwidth
of a copy on the same GPU in the same run, over the measured time. Before each is timed, its output and gradients are compared
with a float64 evaluation of its definition for the first head's last tokens. Times are the best of up to 20 calls. What
--seconds left no time for is named in FILE's not_run.
"""
import argparse
import datetime
import inspect
import json
import math
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

SHAPES = [(1, 8192, 96, 128), (2, 16384, 16, 128), (4, 4096, 64, 128), (8, 2048, 32, 64)]
SOFTMAX_LENGTHS = (512, 1024, 2048, 4096, 8192, 16384)


def milliseconds(run, least=3, most=20, budget=0.2):
    """The fastest of a few calls, each between events of its own."""
    run()
    torch.cuda.synchronize()
    best, began = math.inf, time.monotonic()
    for call in range(most):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        best = min(best, begin.elapsed_time(end))
        if call + 1 >= least and time.monotonic() - began > budget:
            break
    return best


def copy_bandwidth():
    """Bytes read and written a millisecond."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() / milliseconds(lambda: target.copy_(source))


def tensors(B, T, H, K, dtype):
    make = lambda: torch.randn(B, T, H, K, device="cuda", dtype=dtype)
    return [make().requires_grad_() for _ in range(3)] + [make()]


def cosformer(q, k, v, causal):
    return torch.ops.cosformer.attention(q, k, v, horizon=q.shape[1], causal=causal)


def softmax(q, k, v, causal):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)


def fla():
    """fla's chunked linear attention, causal, without re-weighting and denominator, or why it is not there."""
    try:
        from fla.ops.linear_attn import chunk_linear_attn
    except Exception as error:  # its Triton may not fit the machine either
        return None, f"{type(error).__name__}: {error}".splitlines()[0]
    options = {"scale": 1.0, "normalize": False}
    if "head_first" in inspect.signature(chunk_linear_attn).parameters:  # older versions; [B, T, H, K] without it
        options["head_first"] = False
    return lambda q, k, v, causal: chunk_linear_attn(q, k, v, **options)[0], ""


def cosformer_definition(q, k, v, ahead, hidden):
    """`ahead` [i, j] = i - j of the queries' positions and all keys'."""
    w = q.relu() @ k.relu().T * torch.cos(math.pi * ahead / (2 * len(k)))
    w = w.masked_fill(hidden, 0)
    return w @ v / w.sum(1, keepdim=True).clamp_min(1e-6)


def softmax_definition(q, k, v, ahead, hidden):
    return (q @ k.T / math.sqrt(q.shape[1])).masked_fill(hidden, -math.inf).softmax(1) @ v


def fla_definition(q, k, v, ahead, hidden):
    return (q @ k.T).masked_fill(hidden, 0) @ v


DEFINITIONS = {"cosformer": cosformer_definition, "flash softmax": softmax_definition, "fla linear": fla_definition}


def error_of_last_tokens(attention, definition, q, k, v, d_output, causal, tokens=256):
    """The largest difference from the definition in float64, relative to the largest number of its tensor: of the first
    head's last tokens, and of the gradients that they send."""
    T = q.shape[1]
    rows = min(tokens, T)
    d_last = torch.zeros_like(d_output)
    d_last[0, -rows:, 0] = d_output[0, -rows:, 0]
    output = attention(q, k, v, causal)
    got = (output, *torch.autograd.grad(output, (q, k, v), d_last))
    a, b, c = (x[0, :, 0].detach().double().requires_grad_() for x in (q, k, v))
    ahead = (torch.arange(T - rows, T, device=q.device)[:, None] - torch.arange(T, device=q.device)).double()
    exact = definition(a[-rows:], b, c, ahead, (ahead < 0) & causal)
    expected = (exact, *torch.autograd.grad(exact, (a, b, c), d_last[0, -rows:, 0].double()))
    differences = [
        (x[0, -len(y) :, 0].double() - y).abs().max() / y.abs().max().clamp_min(1e-30) for x, y in zip(got, expected)
    ]
    return torch.stack(differences).nan_to_num(math.inf).max().item()


def states_percent(T, K, dtype, heads, processors):
    """Bytes of the states of a causal call of H = G that is cut, of those of q, k, v and o, as
    src/kernels/cuda/segments.h counts them; 0 where heads fill the GPU and nothing is cut. A sequence that is gone
    through in turn has at most half of a cut one's."""
    segment = 256
    while segment < 8192 and segment * 2 * K < 56 * K * (K + 1):
        segment *= 2
    blocks = heads * (-(-K // 64) if K <= 128 else -(-K // 32))
    segments = max(1, -(-T // segment))
    rounds = lambda count: -(-count // processors)
    cut = rounds(blocks * segments) + 0.5 * rounds(blocks * (segments - 1)) + 0.1 < segments
    cuts = segments - 1 if blocks < processors and cut else 0
    return 100 * cuts * 4 * 2 * K * (K + 1) * 4 / (T * 4 * K * dtype.itemsize)


def measure(name, attention, inputs, causal, floor_ms):
    """Nothing is timed whose result is wrong; a wrong one of ours ends the program."""
    q, k, v, d_output = inputs
    result = {"name": name, "causal": causal, "shape": list(q.shape), "dtype": str(q.dtype).split(".")[1]}
    try:
        error = error_of_last_tokens(attention, DEFINITIONS[name], *inputs, causal)
        if not error < (1e-4 if q.dtype == torch.float32 else 0.05):
            if name == "cosformer":
                sys.exit(f"wrong result at {list(q.shape)}, causal {causal}: off by {error}")
            return result | {"error": f"wrong result, off by {error:.2g}"}
        result["error_of_last_tokens"] = error
        with torch.no_grad():
            result["forward_ms"] = milliseconds(lambda: attention(q, k, v, causal))
        both = lambda: torch.autograd.grad(attention(q, k, v, causal), (q, k, v), d_output)
        result["forward_backward_ms"] = milliseconds(both)
    except (RuntimeError, torch.OutOfMemoryError) as error:
        return result | {"error": str(error).splitlines()[0]}
    if name == "cosformer" and causal:
        B, T, H, K = q.shape
        processors = torch.cuda.get_device_properties(q.device).multi_processor_count
        result["states_percent"] = states_percent(T, K, q.dtype, B * H, processors)
    result["forward_percent"] = 100 * floor_ms / result["forward_ms"]
    result["forward_backward_percent"] = 100 * 3 * floor_ms / result["forward_backward_ms"]
    return result


def step_results(bandwidth, dtype):
    """attention_step_: microseconds for one sequence, and percent of bandwidth for a batch beyond the L2 cache."""
    results = []
    for B, H, K in ((1, 8, 64), (1, 32, 128), (1024, 8, 64), (512, 32, 128)):
        q, k, v = (torch.randn(B, 1, H, K, device="cuda", dtype=dtype) for _ in range(3))
        S = torch.zeros(B, H, 2, K, K, device="cuda")
        z = torch.zeros(B, H, 2, K, device="cuda")
        position = torch.zeros(B, dtype=torch.int64, device="cuda")
        run = lambda: torch.ops.cosformer.attention_step_(q, k, v, S, z, position, horizon=1 << 30)
        first = run()
        if not (first - v).abs().max() < 0.05:
            sys.exit(f"wrong result of a step at B={B}, H={H}, K={K}: the first one's output is its value")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(20):
                run()
        ms = milliseconds(graph.replay) / 20
        bytes_moved = 2 * 4 * (S.numel() + z.numel())
        results.append({"name": "step", "B": B, "H": H, "K": K, "microseconds": 1000 * ms,
                        "percent_of_bandwidth": 100 * bytes_moved / bandwidth / ms})
    return results


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("library")
    arguments.add_argument("--json")
    arguments.add_argument("--seconds", type=float, default=180, help="begin nothing new after this time")
    arguments.add_argument("--dtype", default="bfloat16")
    arguments.add_argument("--shape", action="append", help="B,T,H,K")
    given = arguments.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no GPU that PyTorch can use")
    torch.ops.load_library(given.library)
    shapes = [tuple(map(int, shape.split(","))) for shape in given.shape] if given.shape else SHAPES
    dtype = getattr(torch, given.dtype)
    began = time.monotonic()
    bandwidth = copy_bandwidth()
    report = {"gpu": torch.cuda.get_device_name(), "date": datetime.date.today().isoformat(),
              "torch": torch.__version__, "copy_gigabytes_per_second": bandwidth / 1e6, "results": [], "not_run": []}
    print(f"{report['gpu']}, copying {bandwidth / 1e6:.0f} GB/s")
    peers = {"cosformer": cosformer, "flash softmax": softmax}
    linear, missing = fla()
    if linear:
        peers["fla linear"] = linear
        report["fla"] = getattr(sys.modules["fla"], "__version__", "of an unknown version")
    else:
        report["fla"] = f"not measured: {missing}"
        print(f"fla {report['fla']}")

    def save():
        if given.json:
            with open(given.json, "w") as file:
                json.dump(report, file, indent=1)
                file.write("\n")

    def add(result):
        report["results"].append(result)
        save()
        if "error" in result:
            print(f"{result['name']:14} {result['shape']} failed: {result['error']}")
        elif result["name"] == "step":
            print(f"step B={result['B']} H={result['H']} K={result['K']}: {result['microseconds']:.1f} us, "
                  f"{result['percent_of_bandwidth']:.0f} % of bandwidth")
        else:
            print(f"{result['name']:14} {result['shape']} {'causal' if result['causal'] else 'full  '} "
                  f"forward {result['forward_ms']:.3f} ms {result['forward_percent']:.0f} %, with backward "
                  f"{result['forward_backward_ms']:.3f} ms {result['forward_backward_percent']:.0f} %")

    plan = [(name, shape, causal) for causal in (True, False) for shape in shapes for name in peers]
    plan = [part for part in plan if part[0] != "fla linear" or part[2]]
    if dtype == torch.float32:
        plan = [part for part in plan if part[0] != "flash softmax"]
    else:
        plan += [(name, (1, T, 32, 64), True) for T in SOFTMAX_LENGTHS for name in ("cosformer", "flash softmax")]
    report["not_run"] = [f"{name} {list(shape)} {'causal' if causal else 'full'}" for name, shape, causal in plan]
    for result in step_results(bandwidth, dtype):
        add(result)
    inputs = last = None
    for name, shape, causal in plan:
        if time.monotonic() - began > given.seconds:
            break
        if shape != last:
            inputs = None  # makes room
            inputs, last = tensors(*shape, dtype), shape
        floor_ms = 4 * math.prod(shape) * dtype.itemsize / bandwidth
        del report["not_run"][0]
        add(measure(name, peers[name], inputs, causal, floor_ms))
    for what in report["not_run"]:
        print(f"{what}: not run, no time left")
    save()


if __name__ == "__main__":
    main()
