"""torch.compile traces the operators whole, with lengths left open."""
import unittest

import torch

from definition import empty_state, inputs, ops


class Compile(unittest.TestCase):
    def test_attention_of_any_length(self):
        def layer(q, k, v):
            return ops.attention(q * 2, k, v, horizon=64, causal=True) + 1

        compiled = torch.compile(layer, fullgraph=True, dynamic=True)
        graphs = torch._dynamo.utils.counters["stats"]
        graphs.clear()
        for T in (9, 13, 21):  # unlike every other size, which a trace would take for the same symbol
            results = []
            for function in (layer, compiled):
                leaves = [x.requires_grad_() for x in inputs(2, T, T, 2, 8, 8)]
                output = function(*leaves)
                output.square().sum().backward()
                results.append([output.detach(), *(x.grad for x in leaves)])
            for a, b in zip(*results):
                torch.testing.assert_close(a, b)
        self.assertEqual(graphs["unique_graphs"], 1)

    def test_state_and_step(self):
        def decode(q, k, v, S, z, position):
            output, S, z, position = ops.attention_stateful(q, k, v, S, z, position, horizon=64)
            token = ops.attention_step_(q[:, :1], k[:, :1], v[:, :1], S, z, position, horizon=64)
            return output, token, S, z, position

        q, k, v = inputs(2, 9, 9, 2, 8, 8)
        state = empty_state(q, v, 64)
        compiled = torch.compile(decode, fullgraph=True, dynamic=True, backend="aot_eager")
        for a, b in zip(compiled(q, k, v, *state), decode(q, k, v, *state)):
            self.assertTrue(torch.equal(a, b))


if __name__ == "__main__":
    unittest.main()
