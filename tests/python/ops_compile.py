"""torch.compile and torch.export trace the operators whole, with lengths left open."""
import unittest

import torch

from definition import DEVICE, TestCase, empty_state, inputs, mask, ops

# A graph compiled by another build of the library may call what this one does not have.
torch.compiler.config.force_disable_caches = True


class Layer(torch.nn.Module):
    """Attention of a model: projections, grouped heads, decay, padding."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (torch.nn.Linear(32, width) for width in (32, 16, 16))
        self.register_buffer("decay", torch.tensor([0.0, 0.1]))

    def forward(self, x, padding):
        q, k, v = (layer(x).unflatten(-1, (-1, 8)) for layer in (self.query, self.key, self.value))
        output = ops.attention(
            q, k, v, horizon=64, causal=True, query_padding_mask=padding, key_padding_mask=padding, decay=self.decay
        )
        return output.flatten(2)


class Compile(TestCase):
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

    def test_module(self):
        module = Layer()
        compiled = torch.compile(module, fullgraph=True, dynamic=True)
        for T, autocast in ((9, False), (13, False), (13, True)):
            x, padding = torch.randn(3, T, 32), torch.rand(3, T) < 0.3
            results = []
            for function in (module, compiled):
                module.zero_grad()
                with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=autocast):
                    output = function(x, padding)
                output.float().square().sum().backward()
                results.append([output.detach(), *(p.grad.clone() for p in module.parameters())])
            for a, b in zip(*results):
                torch.testing.assert_close(a, b, rtol=0.02 if autocast else 1e-5, atol=0.1 if autocast else 1e-5)

    def test_packed_and_states(self):
        def everything(q, k, v, cu_seqlens, query, S, z, position):
            packed = ops.attention_varlen(q[0], k[0], v[0], cu_seqlens, cu_seqlens, horizon=64, causal=True)
            new_S, new_z = ops.attention_state(k, v, position, horizon=64)
            return packed, ops.attention_read(query, S + new_S, z + new_z, position, horizon=64, normalize=False)

        compiled = torch.compile(everything, fullgraph=True, dynamic=True)
        for T in (9, 21):
            results = []
            for function in (everything, compiled):
                leaves = [x.requires_grad_() for x in inputs(2, T, T, 4, 8, 6, G=2)]
                output = function(*leaves, torch.tensor([0, 5, T]), leaves[0][:, :5], *empty_state(*leaves[1:], 64))
                sum(x.square().sum() for x in output).backward()
                results.append([*(x.detach() for x in output), *(x.grad for x in leaves)])
            for a, b in zip(*results):
                torch.testing.assert_close(a, b)

    def test_state_and_step(self):
        def decode(q, k, v, S, z, position):
            output, S, z, position = ops.attention_stateful(q, k, v, S, z, position, horizon=64)
            token = ops.attention_step_(q[:, :1], k[:, :1], v[:, :1], S, z, position, horizon=64)
            return output, token, S, z, position

        q, k, v = inputs(2, 9, 9, 2, 8, 8)
        state = empty_state(k, v, 64)
        compiled = torch.compile(decode, fullgraph=True, dynamic=True, backend="aot_eager")
        for a, b in zip(compiled(q, k, v, *state), decode(q, k, v, *state)):
            self.assertTrue(torch.equal(a, b))

    def test_stateful_gradients(self):
        def two_stretches(q, k, v, S, z, position):
            first = ops.attention_stateful(q, k, v, S, z, position, horizon=64)
            return ops.attention_stateful(q, k, v, *first[1:], horizon=64)[0]

        compiled = torch.compile(two_stretches, fullgraph=True, dynamic=True)
        results = []
        for function in (two_stretches, compiled):
            leaves = [x.requires_grad_() for x in inputs(2, 9, 9, 2, 8, 6)]
            function(*leaves, *empty_state(*leaves[1:], 64)).square().sum().backward()
            results.append([x.grad for x in leaves])
        for a, b in zip(*results):
            torch.testing.assert_close(a, b)


class Export(TestCase):
    def test_module_of_any_batch_and_length(self):
        module = Layer()
        B, T = torch.export.Dim("B"), torch.export.Dim("T", max=64)
        program = torch.export.export(
            module, (torch.randn(3, 9, 32), torch.zeros(3, 9, dtype=torch.bool)), dynamic_shapes=({0: B, 1: T}, {0: B, 1: T})
        )
        self.assertIn("cosformer.attention.default", str(program.graph))
        for size in ((3, 9), (5, 40)):
            x, padding = torch.randn(*size, 32), torch.rand(*size) < 0.3
            self.assertTrue(torch.equal(program.module()(x, padding), module(x, padding)))


if __name__ == "__main__":
    unittest.main()
