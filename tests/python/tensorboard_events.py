"""TensorBoard's own reader gives back what a run wrote to metrics.jsonl, once a step, after a kill and a resume too."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

PROGRAM = sys.argv.pop(1)
RECIPE = """
threads = 1
[model]
layers = 1
width = 16
heads = 2
ffn_width = 32
[train]
steps = 400
batch_size = 2
sequence_length = 32
evaluate_every = 20
checkpoint_every = 15
log_every = 5
sample_tokens = 12
"""


class Events(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.run = Path(folder.name), Path(folder.name, "run")
        (self.folder / "recipe.toml").write_text(RECIPE)
        for split in ("train", "valid"):
            (self.folder / f"{split}.txt").write_text("".join(f"line {i * i}\n" for i in range(300)))

    def train(self):
        command = [PROGRAM, "train", self.folder / "recipe.toml", "--output", self.run, "--resume", f"--data.path={self.folder}"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def kill_after(self, steps):
        process, metrics = self.train(), self.run / "metrics.jsonl"
        while not metrics.exists() or len(metrics.read_text().splitlines()) < steps:
            self.assertIsNone(process.poll(), "it ended before it was killed")
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def test_reads_back_after_kills(self):
        for steps in (10, 40):
            self.kill_after(steps)
        process = self.train()
        self.assertEqual(process.wait(), 0, process.stderr.read())
        process.stderr.close()
        self.assertEqual(len(os.listdir(self.run / "tensorboard")), 1)
        events = EventAccumulator(str(self.run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        lines = [json.loads(line) for line in (self.run / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual(len({(line["step"], line["split"]) for line in lines}), len(lines))
        for tag in ("train/loss", "train/learning_rate", "train/gradient_norm", "train/tokens_per_second", "valid/loss"):
            split, name = tag.split("/")
            expected = [line for line in lines if line["split"] == split]
            got = events.Scalars(tag)
            self.assertEqual([event.step for event in got], [line["step"] for line in expected], tag)
            for event, line in zip(got, expected):
                self.assertAlmostEqual(event.value, line[name], delta=1e-6 * abs(line[name]))
                self.assertEqual(event.wall_time, line["unix_seconds"])
        texts = lambda tag: [tensor_util.make_ndarray(event.tensor_proto)[0].decode() for event in events.Tensors(tag)]
        self.assertIn("sample_tokens = 12", texts("recipe")[0])
        samples = [line["sample"] for line in lines if line["split"] == "valid"]
        self.assertEqual(len(samples), 20)
        self.assertEqual([text[4:].replace("\n    ", "\n") for text in texts("valid/sample")], samples)
        for sample in samples:
            self.assertTrue(sample.startswith("line 0\nl"), sample)


if __name__ == "__main__":
    unittest.main()
