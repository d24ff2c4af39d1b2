#!/usr/bin/env python3
"""ranks.py PROGRAM [TEST...]: trains tiny models on several ranks of this machine, and takes ranks away.

What needs torch's launcher, which `scripts/setup --python` installs, root's right to make network namespaces, or the
library COSFORMER_CLOCK_SET_BACK, which sets a program's clock back, is skipped without.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
DEPS = pathlib.Path(os.environ.get("COSFORMER_DEPS") or pathlib.Path.home() / ".cache/cosformer")
TORCHRUN = max(map(str, DEPS.glob("python-*/bin/torchrun")), default=None)
CLOCK_SET_BACK = os.environ.get("COSFORMER_CLOCK_SET_BACK")
RECIPE = """
seed = 7
threads = 1
[model]
layers = 2
width = 32
heads = 2
ffn_width = 64
dropout = {dropout}
[train]
steps = 24
batch_size = 6
accumulation = 2
sequence_length = 48
evaluate_every = 8
checkpoint_every = 4
log_every = 2
rank_timeout = 5
"""
TIMES = ("_seconds", "_per_second")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def safetensors(path):
    """Of float32 tensors alone: name -> list of numbers."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin:8 + size + end])
    return tensors


def metrics(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if not key.endswith(TIMES)} for line in lines]


def step_of(run):
    """Of the newest line of metrics; 0 before the first."""
    try:
        return metrics(run)[-1]["step"]
    except (OSError, IndexError, ValueError):
        return 0


class Ranks(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        text = pathlib.Path("/usr/share/common-licenses/GPL-3").read_bytes()
        (self.folder / "text").mkdir()
        (self.folder / "text/train.txt").write_bytes(text[:30000])
        (self.folder / "text/valid.txt").write_bytes(text[30000:32000])
        self.started = []
        self.addCleanup(self.kill_all)

    def kill_all(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def command(self, run, *arguments, dropout=0.1):
        recipe = self.folder / "recipe.toml"
        recipe.write_text(RECIPE.format(dropout=dropout))
        return [PROGRAM, "train", str(recipe), "--output", str(self.folder / run), f"--data.path={self.folder / 'text'}",
                *arguments]

    def spawn(self, command, **environment):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **environment})
        self.started.append(process)
        return process

    def train(self, run, *arguments, code=0, dropout=0.1):
        """Runs to its end; returns what was said."""
        process = self.spawn(self.command(run, *arguments, dropout=dropout))
        said = "".join(process.communicate(timeout=240))
        self.assertEqual(process.returncode, code, said)
        return said

    def start_ranks(self, run, count, *arguments, of_rank=lambda rank: [], port=None, program=lambda rank: PROGRAM, **environment):
        """As a launcher of another kind does, by the environment alone."""
        port = str(port or free_port())
        return [self.spawn([program(rank), *self.command(run, *arguments, *of_rank(rank))[1:]], RANK=str(rank),
                           WORLD_SIZE=str(count), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1",
                           MASTER_PORT=port, **environment)
                for rank in range(count)]

    def ends(self, processes, code):
        errors = []
        for process in processes:
            errors.append(process.communicate(timeout=120)[1])
            self.assertEqual(process.returncode, code, errors)
            if code != 0:
                self.assertEqual(errors[-1].count("\n"), 1, "expected a line, got " + errors[-1])
        return errors

    def wait_for_step(self, run, step):
        end = time.monotonic() + 120
        while step_of(self.folder / run) < step:
            self.assertLess(time.monotonic(), end, "no step was made")
            time.sleep(0.01)

    def wait_for_checkpoint(self, run):
        """A complete one: it is written beside the steps, so some are made before it is there."""
        end = time.monotonic() + 120
        while not any((self.folder / run).glob("checkpoints/step-*")):
            self.assertLess(time.monotonic(), end, "no checkpoint was written")
            time.sleep(0.01)

    def assert_equal_runs(self, a, b):
        a, b = self.folder / a, self.folder / b
        self.assertEqual(metrics(a), metrics(b))
        for name in ["model.safetensors", "best/model.safetensors", "checkpoints/step-00000024/state.safetensors"]:
            self.assertTrue((a / name).read_bytes() == (b / name).read_bytes(), name)

    def assert_near_runs(self, a, b):
        """The same but for the order of sums: each loss within some units of its last place, and the weights."""
        a, b = self.folder / a, self.folder / b
        for first, second in zip(metrics(a), metrics(b), strict=True):
            self.assertLess(abs(first["loss"] - second["loss"]), 5e-6, (first, second))
        first, second = safetensors(a / "model.safetensors"), safetensors(b / "model.safetensors")
        self.assertEqual(first.keys(), second.keys())
        distance = sum((x - y) ** 2 for name in first for x, y in zip(first[name], second[name], strict=True))
        size = sum(x ** 2 for name in first for x in first[name])
        self.assertLess(distance, (1e-5) ** 2 * size)

    def test_ranks_give_what_one_process_gives(self):
        self.train("one", dropout=0)
        for count in (2, 3):
            self.train(f"ranks-{count}", "--ranks", str(count), dropout=0)
            self.assert_near_runs("one", f"ranks-{count}")

    def test_a_split_sequence_gives_what_one_process_gives(self):
        self.train("one", dropout=0)
        self.train("split", "--ranks=4", "--train.sequence_ranks=4", dropout=0)
        self.train("both", "--ranks=4", "--train.sequence_ranks=2", dropout=0)
        self.assert_near_runs("one", "split")
        self.assert_near_runs("one", "both")

    def test_the_layout_does_not_matter(self):
        self.train("launched", "--ranks=3")
        self.ends(self.start_ranks("environment", 3), 0)
        self.assert_equal_runs("launched", "environment")

    def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(self):
        for precision in ("float32", "bfloat16"):
            whole, stopped, key = f"whole-{precision}", f"stopped-{precision}", f"--train.precision={precision}"
            self.train(whole, "--ranks=3", key)
            ranks = self.start_ranks(stopped, 3, key)
            self.wait_for_step(stopped, 6)
            ranks[1].terminate()  # one of them is enough
            self.ends(ranks, 3)
            self.train(stopped, "--ranks=3", "--resume", key)
            self.assert_equal_runs(whole, stopped)

    def test_another_number_of_ranks_goes_on(self):
        self.train("one", dropout=0)
        ranks = self.start_ranks("changed", 3, "--model.dropout=0")
        self.wait_for_step("changed", 6)
        ranks[0].terminate()
        self.ends(ranks, 3)
        self.assertIn("ranks 2, not 3", self.train("changed", "--ranks=2", "--resume", dropout=0))
        self.assert_near_runs("one", "changed")

    def test_a_killed_rank_is_named(self):
        for victim in (1, 0):
            run = f"killed-{victim}"
            ranks = self.start_ranks(run, 3)
            self.wait_for_step(run, 4)
            ranks[victim].kill()
            start = time.monotonic()
            others = [rank for index, rank in enumerate(ranks) if index != victim]
            for error in self.ends(others, 1):
                if victim == 0:  # which keeps the store
                    self.assertRegex(error, r"the store at 127\.0\.0\.1:\d+ (is gone|has not answered)|rank 0 on ")
                else:
                    self.assertRegex(error, rf"rank {victim} on {socket.gethostname()} has not answered .* after step \d+")
            self.assertLess(time.monotonic() - start, 8)
            self.train(run, "--ranks=3", "--resume")
        self.train("whole", "--ranks=3")
        self.assert_equal_runs("whole", "killed-1")
        self.assert_equal_runs("whole", "killed-0")

    def test_a_stopped_rank_is_named(self):
        for victim in (2, 0):
            run = f"frozen-{victim}"
            ranks = self.start_ranks(run, 3)
            self.wait_for_step(run, 4)
            ranks[victim].send_signal(signal.SIGSTOP)
            start = time.monotonic()
            who = r"the store at 127\.0\.0\.1:\d+" if victim == 0 else "rank 2 on .*"
            for error in self.ends([rank for index, rank in enumerate(ranks) if index != victim], 1):
                self.assertRegex(error, who + r" has not answered for \d+ s, after step \d+")
            self.assertLess(time.monotonic() - start, 8)

    def test_a_stopped_rank_is_named_while_the_clock_is_set_back(self):
        if not CLOCK_SET_BACK:
            self.skipTest("no COSFORMER_CLOCK_SET_BACK")
        ranks = self.start_ranks("clock", 2, LD_PRELOAD=CLOCK_SET_BACK)
        self.wait_for_step("clock", 4)
        ranks[1].send_signal(signal.SIGSTOP)
        start = time.monotonic()
        self.assertRegex(self.ends(ranks[:1], 1)[0], r"rank 1 on .* has not answered for \d+ s, after step \d+")
        self.assertLess(time.monotonic() - start, 8)

    def test_the_launcher_ends_all(self):
        launcher = self.spawn(self.command("ended", "--ranks=3"))
        self.wait_for_step("ended", 4)
        children = subprocess.run(["pgrep", "-P", str(launcher.pid)], capture_output=True, text=True).stdout.split()
        self.assertEqual(len(children), 3)
        os.kill(int(children[1]), signal.SIGSTOP)
        error = launcher.communicate(timeout=60)[1]
        self.assertEqual(launcher.returncode, 1)
        self.assertIn("has not answered", error)

    def test_a_rank_that_fails_tells_the_others(self):
        (self.folder / "occupied").mkdir()
        (self.folder / "occupied/model.safetensors").write_bytes(b"")
        start = time.monotonic()
        for error in self.ends(self.start_ranks("occupied", 2, "--train.rank_timeout=100"), 1):
            self.assertIn("expected a folder without a run", error)
        self.assertLess(time.monotonic() - start, 50, "no one waits for the timeout")

    def test_a_killed_launcher_leaves_the_folder_free(self):
        launcher = self.spawn(self.command("launched", "--ranks=2", "--train.steps=1000000"))
        self.wait_for_checkpoint("launched")
        launcher.kill()
        launcher.wait()
        time.sleep(0.5)  # its ranks are killed with it
        said = self.train("launched", "--ranks=2", "--resume", "--train.steps=1000000", "--train.time_limit=1", code=3)
        self.assertIn("continuing after step ", said)

    def test_ranks_that_differ_are_refused(self):
        ranks = self.start_ranks("differ", 3, of_rank=lambda rank: ["--train.steps=25"] if rank == 2 else [])
        for error in self.ends(ranks, 1):
            self.assertRegex(error, "rank 2 on .*: recipe: expected steps = 24 as rank 0 has, got steps = 25")
        self.assertFalse((self.folder / "differ").exists())

    def test_ranks_of_another_build_are_refused(self):
        version = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True).stdout
        commit = version[version.index(b"(") + 1:version.index(b")")]
        other = self.folder / "cosformer"
        other.write_bytes(pathlib.Path(PROGRAM).read_bytes().replace(commit, commit[::-1]))
        other.chmod(0o755)
        ranks = self.start_ranks("differ", 2, program=lambda rank: other if rank == 1 else PROGRAM)
        for error in self.ends(ranks, 1):
            self.assertRegex(error, "rank 1 on .*: build: expected cosformer .* as rank 0 has, got cosformer ")
        self.assertFalse((self.folder / "differ").exists())

    def test_ranks_with_other_data_are_refused(self):
        other = self.folder / "other"
        other.mkdir()
        for name in ("train.txt", "valid.txt"):
            (other / name).write_bytes((self.folder / "text" / name).read_bytes()[:-1] + b"!")
        ranks = self.start_ranks("differ", 2, of_rank=lambda rank: [f"--data.path={other}"] if rank == 1 else [])
        for error in self.ends(ranks, 1):
            self.assertRegex(error, "rank 1 on .*: data: expected .*crc64 .* as rank 0 has, got ")

    def test_who_does_not_come_is_named(self):
        process = self.spawn(self.command("alone", "--train.rank_timeout=1"), RANK="0", WORLD_SIZE="3",
                             LOCAL_WORLD_SIZE="3", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
        self.assertRegex(self.ends([process], 1)[0], r"expected 3 ranks at 127.0.0.1:\d+, got none within 1 s of rank 1, 2")

    def test_an_address_that_does_not_answer_is_named(self):
        port = str(free_port())
        process = self.spawn(self.command("nobody", "--train.rank_timeout=2"), RANK="1", WORLD_SIZE="2",
                             LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        self.assertIn(f"127.0.0.1:{port}: rank 1 expected rank 0 to answer there", self.ends([process], 1)[0])

    def test_an_address_that_takes_connections_and_says_nothing_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = str(silent.getsockname()[1])
            process = self.spawn(self.command("silent", "--train.rank_timeout=1"), RANK="1", WORLD_SIZE="2",
                                 LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
            self.assertIn("expected rank 0 to answer there (MASTER_ADDR, MASTER_PORT), got none within 1 s",
                          self.ends([process], 1)[0])

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            start = time.monotonic()
            timeouts = ("20", "2")
            ranks = self.start_ranks("taken", 2, of_rank=lambda rank: ["--train.rank_timeout=" + timeouts[rank]], port=port)
            self.assertRegex(self.ends(ranks[:1], 1)[0], f"127.0.0.1:{port}: cannot listen: .*address already in use")
            self.assertLess(time.monotonic() - start, 10, "nothing has to be waited for")
            self.assertIn(f"127.0.0.1:{port}: rank 1 expected rank 0 to answer there", self.ends(ranks[1:], 1)[0])
        self.assertFalse((self.folder / "taken").exists())

    def test_a_port_where_another_run_is_leaves_that_one_alone(self):
        port = free_port()
        first = self.start_ranks("first", 2, "--train.steps=1000000", port=port)
        self.wait_for_step("first", 2)
        for count in (2, 3):
            start = time.monotonic()
            ranks = self.start_ranks("second", count, port=port)
            self.assertIn(f"127.0.0.1:{port}: cannot listen: ", self.ends(ranks[:1], 1)[0])
            for rank, error in enumerate(self.ends(ranks[1:], 1), 1):
                self.assertIn(f"127.0.0.1:{port}: rank {rank} of {count} expected its own run there (MASTER_ADDR, "
                              "MASTER_PORT), got another one", error)
            self.assertLess(time.monotonic() - start, 8)
        self.assertFalse((self.folder / "second").exists())
        self.wait_for_step("first", step_of(self.folder / "first") + 4)
        first[0].terminate()
        self.ends(first, 3)

    def torchrun(self, run, *arguments):
        return [TORCHRUN, "--no-python", f"--master-port={free_port()}", *arguments, *self.command(run, "--resume")]

    def test_torchrun_starts_ranks(self):
        if not TORCHRUN:
            self.skipTest("no torchrun")
        self.train("launched", "--ranks=2")
        self.ends([self.spawn(self.torchrun("torchrun", "--nproc-per-node=2"))], 0)
        self.assert_equal_runs("launched", "torchrun")

    def test_torchrun_goes_on_after_a_rank_was_killed(self):
        if not TORCHRUN:
            self.skipTest("no torchrun")
        self.train("launched", "--ranks=2")
        agent = self.spawn(self.torchrun("restarted", "--nproc-per-node=2", "--max-restarts=2"))
        self.wait_for_checkpoint("restarted")
        ranks = subprocess.run(["pgrep", "-P", str(agent.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(ranks[1]), signal.SIGKILL)
        self.ends([agent], 0)
        self.assert_equal_runs("launched", "restarted")

    def two_hosts(self):
        """Two network namespaces with a cable between them: the prefix of a command for each."""
        if os.geteuid() != 0 or not shutil.which("ip"):
            self.skipTest("needs root and iproute2")
        names = [f"cosformer-{os.getpid()}-{i}" for i in range(2)]
        wire = [f"cf{os.getpid() % 100000}{end}" for end in "ab"]
        commands = [["ip", "netns", "add", name] for name in names]
        commands.append(["ip", "link", "add", wire[0], "netns", names[0], "type", "veth", "peer", wire[1], "netns", names[1]])
        for index, (name, end) in enumerate(zip(names, wire)):
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
            commands += [["ip", "-n", name, "addr", "add", f"10.77.0.{index + 1}/24", "dev", end],
                         ["ip", "-n", name, "link", "set", end, "up"], ["ip", "-n", name, "link", "set", "lo", "up"]]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                self.skipTest(f"no network namespaces: {done.stderr.strip()}")
        return names, wire

    def test_a_host_that_is_cut_off_is_named(self):
        names, wire = self.two_hosts()
        ranks = [self.spawn(["ip", "netns", "exec", name, *self.command("hosts")], RANK=str(rank), WORLD_SIZE="2",
                            MASTER_ADDR="10.77.0.1", MASTER_PORT="29555") for rank, name in enumerate(names)]
        self.wait_for_step("hosts", 4)
        subprocess.run(["ip", "-n", names[1], "link", "set", wire[1], "down"], check=True)
        start = time.monotonic()
        errors = self.ends(ranks, 1)
        self.assertRegex(errors[0], r"rank 1 on .* has not answered for \d+ s, after step \d+")
        self.assertRegex(errors[1], r"the store at 10.77.0.1:29555 has not answered for \d+ s, after step \d+")
        self.assertLess(time.monotonic() - start, 8)

    def test_bad_numbers_are_refused(self):
        self.assertIn("train.batch_size: expected a row for each group", self.train("few", "--ranks=3", "--train.batch_size=2", code=2))
        self.assertIn("train.sequence_ranks: expected a divisor of 3 ranks",
                      self.train("few", "--ranks=3", "--train.sequence_ranks=2", code=2))
        self.assertIn("--train.sequence_ranks: expected a divisor of train.sequence_length = 48",
                      self.train("few", "--train.sequence_ranks=5", code=2))
        self.assertIn("softmax", self.train("few", "--train.sequence_ranks=2", "--model.attention=softmax", code=2))


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
