#!/usr/bin/env python3
"""Trains the recipes on a device and compares with the CPU.

    python tests/train/recipes_on_device.py PROGRAM [--device cuda] [--precision P ...] [--text DIR] [--seconds N] [--steps N]
                                            [--json FILE]

DIR holds licences/ (default: /usr/share/common-licenses) and, if it is to be tried, wikitext-2/, as `scripts/setup --deps-only`
copies them. Of each recipe, without dropout:

- First step: loss and gradients, by a step of plain gradient descent with rate 1, from the weights before and after. In
  float32 they may differ from the CPU's by four standard deviations of as many independent roundings as there are products
  in a row and terms in a sum; in bfloat16 by twice what the CPU's bfloat16 differs from its float32.

and as it is:

- Final validation loss and tokens a second in bfloat16 and float32, with three seeds. The quickstart also in float32 on the
  CPU: the means may differ by the wider spread of three seeds. WikiText-2 takes longer on a CPU than there is time: the mean
  may differ by the spread of the three seeds from the loss that docs/results/wikitext-2.md has recorded.
- On a GPU the first seed in bfloat16 also with train.cuda_graphs: the same final loss, and its tokens a second.

What there is no time for is left out, said, and named in FILE's not_run.

--steps shortens the runs; --device cpu compares the CPU with itself.
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
EPSILON = {"float32": 2.0**-24, "bfloat16": 2.0**-9}  # the largest relative error of one rounding
RECORDED = {"wikitext-2": [5.2086]}  # of a CPU, docs/results/wikitext-2.md
PLAIN_STEP = ("optimizer.kind=nag", "optimizer.momentum=0", "optimizer.weight_decay=0", "optimizer.clip_norm=0",
              "optimizer.clip_value=0", "schedule.kind=constant", "schedule.warmup_steps=0", "train.steps=1",
              "train.log_every=1", "model.dropout=0")


def tensors(file):
    """Of a safetensors file, as float64."""
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = bytearray(data[8 + size :])
    return {name: torch.frombuffer(body, dtype=torch.float32, offset=entry["data_offsets"][0],
                                   count=math.prod(entry["shape"])).double() for name, entry in header.items()}


class Recipe:
    def __init__(self, options, name, data, folder):
        self.options, self.name, self.data, self.folder = options, name, data, folder

    def start(self, device, run, *keys, threads):
        arguments = [self.options.program, "train", ROOT / f"recipes/{self.name}.toml", "--output", self.folder / run,
                     f"--data.path={self.data}", f"--train.device={device}", f"--threads={threads}", *(f"--{k}" for k in keys)]
        return subprocess.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def train(self, device, run, *keys):
        process = self.start(device, run, *keys, threads=os.cpu_count())
        error = process.communicate()[1]
        if process.returncode != 0:
            sys.exit(f"recipes_on_device.py: {self.name} on {device}: exit code {process.returncode}: {error.strip()}")

    def metrics(self, run, split):
        lines = map(json.loads, (self.folder / run / "metrics.jsonl").read_text().splitlines())
        return [line for line in lines if line.get("split") == split]

    def sizes(self):
        """Products that follow each other in a step, and the most terms of a sum."""
        text = (ROOT / f"recipes/{self.name}.toml").read_text()
        number = lambda key: int(next(line for line in text.splitlines() if line.startswith(f"{key} =")).split("=")[1])
        return 2 * (6 * number("layers") + 1), number("batch_size") * number("sequence_length")


def first_step(recipe, device, precision, before):
    """Loss and gradients."""
    run = f"first-{device}-{precision}"
    recipe.train(device, run, *PLAIN_STEP, f"train.precision={precision}", "optimizer.learning_rate=1")
    after = tensors(recipe.folder / run / "model.safetensors")
    return recipe.metrics(run, "train")[0]["loss"], {name: before[name] - after[name] for name in before}


def difference(a, b):
    """Of the losses, and of the tensor that differs most: relative to the loss, and to the norm of all gradients."""
    norm = math.sqrt(sum(g.square().sum().item() for g in b[1].values()))
    name, most = max(((n, (a[1][n] - g).norm().item() / norm) for n, g in b[1].items()), key=lambda pair: pair[1])
    return abs(a[0] / b[0] - 1), most, name


def check_first_step(recipe, device):
    recipe.train("cpu", "before", *PLAIN_STEP, "optimizer.learning_rate=0")
    before = tensors(recipe.folder / "before" / "model.safetensors")
    cpu = {precision: first_step(recipe, "cpu", precision, before) for precision in EPSILON}
    products, terms = recipe.sizes()
    own = difference(cpu["bfloat16"], cpu["float32"])
    rounding = 4 * EPSILON["float32"] * math.sqrt(products * terms)
    allowed = {"float32": (rounding, rounding), "bfloat16": (max(2 * own[0], EPSILON["bfloat16"]), 2 * own[1])}
    results = []
    for precision, limits in allowed.items():
        there = cpu[precision] if device == "cpu" else first_step(recipe, device, precision, before)
        loss, gradient, name = difference(there, cpu["float32"])
        good = loss <= limits[0] and gradient <= limits[1]
        results.append({"recipe": recipe.name, "precision": precision, "loss": there[0], "loss_of_cpu": cpu["float32"][0],
                        "loss_difference": loss, "gradient_difference": gradient, "of": name, "allowed": limits, "good": good})
        print(f"{recipe.name}, {precision}: first loss {there[0]:.6f}, CPU's float32 {cpu['float32'][0]:.6f}, off by {loss:.1e} "
              f"(allowed {limits[0]:.1e}); gradients off by {gradient:.1e} (allowed {limits[1]:.1e}), most of {name}"
              f"{'' if good else ': WRONG'}", flush=True)
    return results


def run_result(recipe, device, seed, run, **more):
    speeds = [line["tokens_per_second"] for line in recipe.metrics(run, "train")]
    return {"recipe": recipe.name, "device": device, "seed": seed, "valid_loss": recipe.metrics(run, "valid")[-1]["loss"],
            "tokens_per_second": statistics.median(speeds), **more}


def title(name, device, precision, seed, graphs):
    return f"{name} on {device} in {precision}, seed {seed}{', CUDA graphs' if graphs else ''}"


def show(result):
    what = title(result["recipe"], result["device"], result["precision"], result["seed"], result.get("graphs"))
    print(f"{what}: valid loss {result['valid_loss']:.4f}, {result['tokens_per_second']:,.0f} tokens/s", flush=True)


def variants(recipes, options):
    """Recipe, precision, seed, whether by graphs; what is most worth its time first."""
    precision = options.precision[0]
    graphs = [(recipe, precision, 1, True) for recipe in recipes] if options.device == "cuda" else []
    every = [(r, p, seed, False) for r in recipes for p in options.precision for seed in (1, 2, 3)]
    first = [v for v in every if v[0] is recipes[0] and v[1] == precision] + graphs[:1]
    first += [v for v in every if v[1] == precision and v[2] == 1 and v not in first]
    first += [v for v in every if v[0] is recipes[0] and v not in first] + graphs[1:]
    return first + [v for v in every if v not in first]


def final_losses(recipes, options, deadline):
    """Results, and what there was no time for."""
    steps = [f"train.steps={options.steps}"] if options.steps else []
    first, results, not_run, longest = recipes[0], [], [], {}
    threads = max(1, (os.cpu_count() - 2) // 3)
    on_cpu = {seed: first.start("cpu", f"cpu-{seed}", f"seed={seed}", *steps, threads=threads) for seed in (1, 2, 3)}
    for recipe, precision, seed, graphs in variants(recipes, options):
        if time.monotonic() + longest.get(recipe.name, 0) > deadline:
            not_run.append(title(recipe.name, options.device, precision, seed, graphs))
            continue
        began, run = time.monotonic(), f"device-{precision}-{seed}{'-graphs' if graphs else ''}"
        recipe.train(options.device, run, f"seed={seed}", f"train.precision={precision}", *steps,
                     *(["train.cuda_graphs=true"] if graphs else []))
        longest[recipe.name] = max(longest.get(recipe.name, 0), time.monotonic() - began)
        results.append(run_result(recipe, options.device, seed, run, precision=precision, graphs=graphs))
        show(results[-1])
    for seed, process in on_cpu.items():
        try:
            process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        if process.wait() != 0:
            not_run.append(title(first.name, "cpu", "float32", seed, False))
            continue
        results.append(run_result(first, "cpu", seed, f"cpu-{seed}", precision="float32", beside=True))
        show(results[-1])
    for what in not_run:
        print(f"{what}: not run, no time left")
    return results, not_run


def compare(results, name, precision, recorded=None):
    """With the CPU's runs beside, or with recorded losses; not judged where runs are missing."""
    plain = [r for r in results if r["recipe"] == name and not r.get("graphs")]
    there = [r["valid_loss"] for r in plain if not r.get("beside") and r["precision"] == precision]
    on_cpu = recorded or [r["valid_loss"] for r in plain if r.get("beside")]
    report = {"recipe": name, "precision": precision, "losses": there, "of_cpu": on_cpu, "good": None}
    if len(there) < 3 or len(on_cpu) < (1 if recorded else 3):
        print(f"{name} in {precision}: final losses {there}, the CPU's {on_cpu}: too few to compare")
        return report
    apart = abs(statistics.mean(there) - statistics.mean(on_cpu))
    spread = max(max(part) - min(part) for part in (there, on_cpu))
    good = apart <= spread
    print(f"{name} in {precision}: means {apart:.4f} apart, spread of three seeds {spread:.4f}{'' if good else ': WRONG'}")
    return report | {"means_apart": apart, "spread": spread, "good": good}


def compare_graphs(results):
    """With those of the same seed without."""
    checks = []
    key = lambda result: (result["recipe"], result["precision"], result["seed"])
    without_graphs = {key(r): r for r in results if r.get("graphs") is False}
    for result in (r for r in results if r.get("graphs")):
        without = without_graphs.get(key(result))
        if without is None:
            continue
        good = result["valid_loss"] == without["valid_loss"]
        faster = result["tokens_per_second"] / without["tokens_per_second"]
        print(f"{result['recipe']}, CUDA graphs: {faster:.2f} times the tokens/s{'' if good else ', another loss: WRONG'}")
        checks.append({"recipe": result["recipe"], "faster": faster, "good": good})
    return checks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--precision", nargs="+", default=["bfloat16", "float32"], choices=tuple(EPSILON),
                        help="of the runs on the device; the first also with graphs")
    parser.add_argument("--seconds", default=200, type=float, help="begin no run that would end after this time")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    licences = options.text / "licences" if options.text else pathlib.Path("/usr/share/common-licenses")
    wikitext = options.text / "wikitext-2" if options.text else None
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([options.program, "data", "corpus", licences, "--output", folder / "text"], check=True,
                       stdout=subprocess.DEVNULL)
        data = {"quickstart": folder / "text"}
        if wikitext and wikitext.exists():
            data["wikitext-2"] = wikitext
        else:
            print("wikitext-2: no such text here")
        recipes = []
        for name, path in data.items():
            (folder / name).mkdir()
            recipes.append(Recipe(options, name, path, folder / name))
        report = {"device": options.device, "precision": options.precision, "steps": options.steps, "first_steps": []}
        for recipe in recipes:
            report["first_steps"] += check_first_step(recipe, options.device)
        report["runs"], report["not_run"] = final_losses(recipes, options, deadline)
        report["final_losses"] = [compare(report["runs"], recipe.name, precision, RECORDED.get(recipe.name))
                                  for recipe in recipes for precision in options.precision
                                  if recipe.name not in RECORDED or not options.steps]
        report["graphs"] = compare_graphs(report["runs"])
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    wrong = [r for r in (*report["first_steps"], *report["final_losses"], *report["graphs"]) if r["good"] is False]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
