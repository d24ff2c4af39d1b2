#!/usr/bin/env python3
"""Kills training runs and compares what becomes of them.

Trains once without interruption, then again and again in other folders, each time killed with SIGKILL at random
moments and resumed, at least once and until it is done. Weights, moments, the best weights and metrics (but for times)
have to be equal, bit for bit. Of several ranks one is killed, at random, and the others have to end. Prints a line a run
and a summary; exits with 1 where anything differs.

With --recipe and --data a long run of one's own: the uninterrupted run and one that is killed --kills times, side by side.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RECIPE = """
seed = 7
[model]
attention = "{attention}"
layers = 2
width = 64
heads = 4
ffn_width = 128
dropout = 0.1
[optimizer]
clip_value = 0.1
[schedule]
warmup_steps = 10
[train]
steps = 60
batch_size = 4
accumulation = 2
sequence_length = 128
evaluate_every = 7
checkpoint_every = 4
log_every = 3
average_decay = 0.9
label_smoothing = 0.1
rank_timeout = 2
"""


def start(options, run):
    return subprocess.Popen(
        [options.program, "train", str(options.recipe), "--output", str(run), f"--data.path={options.data}", "--resume",
         f"--threads={options.threads}", f"--ranks={options.ranks}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def kill(process, rng):
    """The process, or one of the ranks that it has started; returns when all have ended."""
    ranks = subprocess.run(["pgrep", "-P", str(process.pid)], stdout=subprocess.PIPE, text=True).stdout.split()
    try:
        os.kill(int(rng.choice(ranks)) if ranks else process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has just ended
    process.communicate()


def finish(process):
    error = process.communicate()[1]
    if process.returncode != 0:
        sys.exit(f"exit code {process.returncode}: {error}")


def newest_step(run):
    steps = [path.name[5:] for path in (run / "checkpoints").glob("step-*")]
    return int(max(steps)) if steps else None


def metrics(run):
    lines = []
    for text in (run / "metrics.jsonl").read_text().splitlines():
        line = json.loads(text)
        lines.append({key: value for key, value in line.items() if not key.endswith(("_seconds", "_per_second"))})
    return lines


def differences(whole, run):
    found = [] if metrics(whole) == metrics(run) else ["metrics.jsonl"]
    names = ["model.safetensors", "best/model.safetensors"]
    names += [str(path.relative_to(whole)) for path in whole.glob("checkpoints/step-*/state.*")]
    return found + [name for name in names if (whole / name).read_bytes() != (run / name).read_bytes()]


def killed_run(options, run, seconds, rng):
    """Kills the run, `options.kills` times or up to 8, at moments of the `seconds` that it needs; returns the checkpoints
    that the kills left it with."""
    left = []
    while True:
        process = start(options, run)
        if len(left) < (options.kills or 8):  # then it may finish
            try:
                process.wait(rng.uniform(0.1, 1) * seconds / (options.kills or 1))
            except subprocess.TimeoutExpired:
                kill(process, rng)
                left.append(newest_step(run))
                continue
        finish(process)
        if len(left) >= (options.kills or 1):
            return left
        shutil.rmtree(run)  # done before its kills: not what is tested
        left.clear()


def report(number, left, differing):
    print(f"run {number}: killed {len(left)} times, newest checkpoint then "
          f"{', '.join('none' if step is None else str(step) for step in left)}: "
          f"{'differs in ' + ', '.join(differing) if differing else 'equal'}", flush=True)


def short_runs(options, folder, rng):
    (folder / "text").mkdir()
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(1, 6))) for _ in range(50)]
    for split, count in (("train", 4000), ("valid", 400)):
        (folder / "text" / f"{split}.txt").write_text(" ".join(rng.choices(words, k=count)))
    options.recipe, options.data = folder / "recipe.toml", folder / "text"
    options.recipe.write_text(RECIPE.format(**vars(options)))
    whole = folder / "whole"
    began = time.monotonic()
    finish(start(options, whole))
    seconds = time.monotonic() - began
    kills = failed = 0
    for number in range(1, options.runs + 1):
        run = folder / f"run-{number}"
        left = killed_run(options, run, seconds, rng)
        differing = differences(whole, run)
        kills += len(left)
        failed += bool(differing)
        report(number, left, differing)
        shutil.rmtree(run)
    print(f"{options.runs} runs, {kills} kills, {options.runs - failed} runs equal to the uninterrupted one bit for bit, "
          f"{failed} not (seed {options.seed}, {options.attention}, {options.threads} threads, {options.ranks} ranks, "
          f"{seconds:.1f} s a run)")
    return failed


def long_run(options, folder, rng):
    whole, run = folder / "whole", folder / "killed"
    began = time.monotonic()
    uninterrupted = start(options, whole)
    left = killed_run(options, run, options.seconds, rng)
    finish(uninterrupted)
    differing = differences(whole, run)
    report(1, left, differing)
    print(f"{time.monotonic() - began:.0f} s, {options.threads} threads, {options.ranks} ranks, {options.recipe}")
    return bool(differing)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=20, help="runs that are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--attention", default="cosformer", help="kind of attention")
    parser.add_argument("--kills", type=int, help="exactly so many a run; default: at least 1, at most 8")
    parser.add_argument("--recipe", help="of a long run")
    parser.add_argument("--data", help="its text")
    parser.add_argument("--seconds", type=float, help="that it needs at least, beside its like")
    parser.add_argument("--folder", help="where its runs stay; default: a temporary one")
    options = parser.parse_args()
    if options.recipe and not (options.data and options.seconds and options.kills):
        parser.error("--recipe: expected --data, --kills and --seconds beside it")
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="cosformer-kills-") as name:
        runs = long_run if options.recipe else short_runs
        failed = runs(options, pathlib.Path(options.folder or name), rng)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
