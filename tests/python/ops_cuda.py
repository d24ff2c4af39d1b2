"""On a GPU alone: the same bits every time, no wait for the device, streams, CUDA graphs, memory."""
import itertools
import os
import sys
import unittest

os.environ.pop("COSFORMER_CHECK", None)  # with it operators wait for the device

import torch

from definition import DEVICE, DTYPES, TestCase, inputs, mask, ops, random_state

T, HORIZON = 200, 400
CYCLES = 200_000_000  # of a GPU's clock: a tenth of a second


def operators(dtype, seed=0):
    """By name: a call of every operator, tensors that it is given, and whether it is differentiated."""
    q, k, v = inputs(2, T, T, 4, 64, 64, dtype, seed, G=2)
    S, z, position = random_state(k, v, HORIZON, [seed, 9])
    padding = mask("..x." * (T // 4), "x..." * (T // 4))
    cu_seqlens = torch.tensor([0, 64, 199, 2 * T])
    packed = [x.flatten(0, 1) for x in (q, k, v)]
    token = [x[:, :1] for x in (q, k, v)]
    masks = dict(query_padding_mask=padding, key_padding_mask=padding)

    def step(q, k, v, *state):
        state = [x.clone() for x in state]
        return ops.attention_step_(q, k, v, *state, horizon=HORIZON), *state

    def of(operator, **options):
        return lambda *tensors: operator(*tensors, horizon=HORIZON, **options)

    return {
        "causal": (of(ops.attention, causal=True), (q, k, v), True),
        "with padding": (of(ops.attention, causal=True, **masks), (q, k, v), True),
        "not causal": (of(ops.attention), (q, k, v), True),
        "packed": (lambda *x: ops.attention_varlen(*x, cu_seqlens, cu_seqlens, horizon=HORIZON, causal=True), packed, True),
        "stateful": (of(ops.attention_stateful), (q, k, v, S, z, position), True),
        "state": (of(ops.attention_state), (k, v, position), True),
        "read": (of(ops.attention_read), (q, S, z, position), True),
        "step": (step, (*token, S, z, position), False),
    }


def run(call, tensors, differentiated):
    """Results and, where they are differentiated, gradients."""
    leaves = [x.detach().requires_grad_(differentiated and x.is_floating_point()) for x in tensors]
    results = call(*leaves)
    results = [results] if isinstance(results, torch.Tensor) else list(results)
    if not differentiated:
        return results
    outputs = [x for x in results if x.requires_grad]
    gradients = torch.autograd.grad(outputs, [x for x in leaves if x.requires_grad], [torch.ones_like(x) for x in outputs])
    return [*(x.detach() for x in results), *gradients]


def bits(x):
    return x.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()])


def different(a, b):
    """Whether any bit is, on the device."""
    return torch.stack([(bits(x) != bits(y)).any() for x, y in zip(a, b, strict=True)]).any()


def each():
    for dtype in DTYPES:
        for name, call in operators(dtype).items():
            yield f"{name} {dtype}", call


@unittest.skipIf(DEVICE == "cpu", "a GPU's")
class Device(TestCase):
    def on_another_stream(self, body):
        """What it returns, done when this stream goes on."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            results = body()
        torch.cuda.current_stream().wait_stream(stream)
        return results

    def test_ten_thousand_times_the_same_bits(self):
        for B, tokens, H, width in ((2, 130, 2, 64), (1, 1000, 4, 128)):
            tensors = inputs(B, tokens, tokens, H, width, width, torch.bfloat16)
            call = lambda *x: ops.attention(*x, horizon=tokens, causal=True)
            expected = run(call, tensors, True)
            wrong = torch.zeros((), dtype=torch.int64)
            for _ in range(10_000):
                wrong += different(run(call, tensors, True), expected)
            self.assertEqual(wrong.item(), 0, f"of 10,000 times, {B} x {tokens} tokens")

    def test_every_operator_the_same_bits(self):
        for what, call in each():
            expected = run(*call)
            wrong = sum(different(run(*call), expected) for _ in range(200))
            self.assertEqual(wrong.item(), 0, what)

    def test_nothing_waits_for_the_device(self):
        for what, call in each():
            run(*call)  # memory is there, kernels are loaded
            done = torch.cuda.Event()
            torch.cuda.set_sync_debug_mode("error")
            try:
                torch.cuda._sleep(CYCLES)
                done.record()
                run(*call)
                self.assertFalse(done.query(), f"{what} waited for what was queued before it")
            finally:
                torch.cuda.set_sync_debug_mode("default")
            torch.cuda.synchronize()

    def test_on_another_stream(self):
        """The tensors get their values there, late: a kernel on any other stream reads NaN."""
        for what, (call, tensors, differentiated) in each():
            expected = run(call, tensors, differentiated)
            late = [torch.full_like(x, float("nan")) if x.is_floating_point() else x for x in tensors]

            def body():
                torch.cuda._sleep(CYCLES // 10)
                for x, y in zip(late, tensors):
                    x.copy_(y)
                return run(call, late, differentiated)

            self.assertFalse(different(self.on_another_stream(body), expected).item(), what)

    def test_in_a_graph(self):
        """Captured once, replayed on other numbers and positions."""
        for dtype, name in itertools.product(DTYPES, operators(torch.float32)):
            call, tensors, differentiated = operators(dtype)[name]
            places = [x.clone() for x in tensors]
            self.on_another_stream(lambda: run(call, places, differentiated))
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                results = run(call, places, differentiated)
            for seed in (0, 5):
                _, others, _ = operators(dtype, seed)[name]
                for place, other in zip(places, others):
                    place.copy_(other)
                graph.replay()
                self.assertFalse(different(results, run(call, others, differentiated)).item(), f"{name} {dtype}, seed {seed}")

    def test_steps_of_a_graph_advance_the_state(self):
        for dtype in DTYPES:
            _, (q, k, v, *state), _ = operators(dtype)["step"]
            of_graph, one_by_one = ([x.clone() for x in state] for _ in range(2))
            step = lambda state: ops.attention_step_(q, k, v, *state, horizon=HORIZON)
            self.on_another_stream(lambda: step([x.clone() for x in state]))
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                output = step(of_graph)
            for _ in range(20):
                graph.replay()
                expected = step(one_by_one)
            self.assertFalse(different([output, *of_graph], [expected, *one_by_one]).item(), f"{dtype}")
            self.assertEqual(of_graph[2].tolist(), [20, 29])

    def test_memory_is_the_caching_allocators(self):
        """Once it has enough, no call takes any from the driver, and none stays taken. Of the whole GPU: nothing else may run."""
        taken = lambda: (torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), torch.cuda.mem_get_info())
        for what, call in each():
            for _ in range(3):
                run(*call)
            torch.cuda.synchronize()
            before = taken()
            for _ in range(100):
                run(*call)
            torch.cuda.synchronize()
            self.assertEqual(taken(), before, what)


if __name__ == "__main__":
    if DEVICE == "cpu":
        sys.exit(77)
    unittest.main()
