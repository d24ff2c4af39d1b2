"""Measures the constants of docs/scaling.md on this machine and sets `cosformer describe --ranks` beside training.

    python bench/ranks.py [--program build/release/bin/cosformer] [--ranks 1 2 4] [--steps 4] [--length 65536] [--memory]

The link and the latency are those of Gloo's ring between processes of this machine: sums of a gradient bucket and of one
number over two of them. The rate is that of runs of one rank with one thread, as many at once as there are cores; ranks
beyond the cores share them. Then, for a data parallel recipe and for one sequence that is split over the ranks, it trains some
steps on each number of ranks and prints tokens a second of the fastest step beside what the model says. With --memory it
instead prints the largest sum of the ranks' resident memory during two steps over 2^20 tokens. Run it by the Python of
scripts/setup --python.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import subprocess
import tempfile
import threading
import time

import torch.distributed as dist
import torch.multiprocessing as processes
import torch

BUCKET = 4 << 20  # bytes
DATA_PARALLEL = """
[model]
layers = 6
width = 512
heads = 8
ffn_width = 2048
[train]
batch_size = 16
sequence_length = 512
"""
SPLIT = """
[model]
layers = 4
width = 128
heads = 4
ffn_width = 512
positions = "sinusoidal"
[train]
batch_size = 1
sequence_length = {length}
sequence_ranks = {ranks}
recompute = true
"""
TRAIN = "log_every = 1\nsteps = {steps}\nevaluate_every = 1000\ncheckpoint_every = 1000\n"


def fastest_sum(floats, rounds):
    tensor, best = torch.zeros(floats), float("inf")
    for _ in range(rounds):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(tensor)
        best = min(best, time.perf_counter() - start)
    return best


def measure_ring(rank, store, results):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    small, large = fastest_sum(1, 500), fastest_sum(BUCKET // 4, 100)
    if rank == 0:
        results.put((small, large))
    dist.destroy_process_group()


def constants():
    """Bytes and messages a second of one rank: sums over two ranks send 2 messages of half the numbers each."""
    with tempfile.TemporaryDirectory() as folder:
        results = processes.get_context("spawn").SimpleQueue()
        processes.spawn(measure_ring, (f"{folder}/store", results), nprocs=2)
        small, large = results.get()
    return BUCKET / (large - small), small / 2


def write_data(folder, bytes_):
    folder.mkdir()
    letters = random.Random(1)
    for name, size in (("train.txt", bytes_), ("valid.txt", 4096)):
        (folder / name).write_bytes(letters.randbytes(size).translate(bytes(97 + i % 26 for i in range(256))))


def resident(pid):
    """Bytes of a process and those that it started."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(child) for child in children)


def watch(pid, most):
    while True:
        try:
            most[0] = max(most[0], resident(pid))
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return
        time.sleep(0.1)


def train(program, recipe, data, output, ranks):
    """Tokens a second of the fastest step, and the largest sum of resident memory."""
    command = [program, "train", recipe, "--output", output, f"--data.path={data}", "--threads=1", f"--ranks={ranks}"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = [0]
    watcher = threading.Thread(target=watch, args=(run.pid, most))
    watcher.start()
    if run.wait():
        raise SystemExit(f"ranks.py: exit code {run.returncode} of: {' '.join(map(str, command))}")
    watcher.join()
    lines = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return max(line["tokens_per_second"] for line in lines if line["split"] == "train"), most[0]


def describe(program, recipe, data, ranks, network, rate):
    """Tokens a second by the model."""
    text = subprocess.run([program, "describe", recipe, f"--data.path={data}", f"--ranks={ranks}", f"--rate={rate / 1e9}",
                           *network], check=True, capture_output=True, text=True).stdout
    row = next(line for line in reversed(text.splitlines()) if line.split()[:1] == [str(ranks)])
    return float(row.split()[1])


def train_beside(program, recipe, data, folder, count):
    """Tokens a second of each of so many runs of one rank at once, which share the machine's memory as ranks do."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        runs = [pool.submit(train, program, recipe, data, folder / f"beside-{recipe.stem}-{i}", 1) for i in range(count)]
        return sum(run.result()[0] for run in runs) / count


def compare(program, name, recipe_of, ranks, steps, folder, network):
    data, cores, kind = folder / "data", os.cpu_count(), name.split()[0]

    def recipe_for(n):
        recipe = folder / f"{kind}-{n}.toml"
        recipe.write_text(recipe_of(n) + TRAIN.format(steps=steps))
        return recipe

    def rate_of(tokens):
        return 1e12 * tokens / describe(program, recipe_for(1), data, 1, network, 1e12)

    rate = rate_of(train_beside(program, recipe_for(1), data, folder, cores))
    print(f"\n{name}\n\n{rate / 1e9:.1f} GFLOP/s a rank, {cores} at once")
    print("\nranks  measured tokens/s  model  measured/model", flush=True)
    for n in ranks:
        measured, _ = train(program, recipe_for(n), data, folder / f"run-{kind}-{n}", n)
        model = describe(program, recipe_for(n), data, n, network, rate * min(1, cores / n))
        print(f"{n:5}  {measured:17.0f}  {model:5.0f}  {measured / model:14.2f}", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", type=pathlib.Path, default=pathlib.Path("build/release/bin/cosformer"))
    arguments.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    arguments.add_argument("--steps", type=int, default=4)
    arguments.add_argument("--length", type=int, default=1 << 16, help="tokens of the sequence that is split")
    arguments.add_argument("--memory", action="store_true")
    chosen = arguments.parse_args()
    program = chosen.program.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_data(folder / "data", 5 << 20)
        if chosen.memory:
            recipe = folder / "long.toml"
            recipe.write_text(SPLIT.format(length=1 << 20, ranks=4) + TRAIN.format(steps=2))
            speed, most = train(program, recipe, folder / "data", folder / "long", 4)
            print(f"2^20 tokens on 4 ranks: {speed:.0f} tokens/s, at most {most / 2**30:.2f} GiB resident, all ranks together")
            return
        link, latency = constants()
        network = f"--link={link / 1e9}", f"--latency={1e6 * latency}"
        print(f"link {link / 1e9:.2f} GB/s, {1e6 * latency:.0f} microseconds a message")
        compare(program, "data parallel, 16 x 512 tokens a step, 19 million parameters", lambda n: DATA_PARALLEL, chosen.ranks,
                chosen.steps, folder, network)
        compare(program, f"split sequence of {chosen.length} tokens, 4 layers of width 128",
                lambda n: SPLIT.format(length=chosen.length, ranks=n), chosen.ranks, chosen.steps, folder, network)


if __name__ == "__main__":
    main()
