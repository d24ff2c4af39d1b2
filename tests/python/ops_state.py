"""attention_state and attention_read: the state of a stretch alone, and queries that read one."""
import itertools
import unittest

import torch

import definition
from definition import DTYPES, TestCase, inputs, mask, numbers, ops, poison, random_state
from rounding import UNROUNDED, near

HORIZONS = (None, 100)
DECAY = torch.tensor([0.3, 0.0])


class State(TestCase):
    def test_values_and_gradients(self):
        for dtype, horizon, decay in itertools.product(DTYPES, HORIZONS, (None, DECAY)):
            for T, feature_map in ((1, "relu"), (80, "relu"), (33, "identity")):
                _, k, v = inputs(2, T, T, 2, 8, 6, dtype, 0, feature_map)
                position = torch.tensor([0, 15])
                options = dict(horizon=horizon, decay=decay, feature_map=feature_map)
                results = []
                for function, tensors in (
                    (ops.attention_state, (k, v)),
                    (definition.attention_state, (k.double(), v.double())),
                ):
                    leaves = [x.detach().clone().requires_grad_() for x in tensors]
                    S, z = function(*leaves, position, **options)
                    self.assertEqual(S.dtype, definition.state_type(leaves[0].dtype))
                    weights = [torch.randn(x.shape, generator=numbers(5)).to(x.dtype) for x in (S, z)]
                    results.append((S, z, *torch.autograd.grad((S, z), leaves, weights)))
                    # One alone: the other's gradient is absent.
                    results[-1] += torch.autograd.grad(function(*leaves, position, **options)[1], leaves[0], weights[1])
                for name, a, b in zip(("S", "z", "d_key", "d_value", "d_key of z"), *results):
                    near(self, a, b, dtype, 4 * (T + 16), f"{name} {dtype} {options} {T}")

    def test_padding(self):
        padding = mask("x..x..", "xxxxxx", "......")
        for dtype, decay in itertools.product(DTYPES, (None, DECAY)):
            _, k, v = inputs(3, 6, 6, 2, 8, 6, dtype)
            position = torch.tensor([0, 4, 90])
            options = dict(horizon=100, decay=decay, padding_mask=padding)
            expected = definition.attention_state(k.double(), v.double(), position, **options)
            leaves = [x.requires_grad_() for x in poison(padding, k, v)]
            got = ops.attention_state(*leaves, position, **options)
            for a, b in zip(got, expected):
                near(self, a, b, dtype, 80, f"{dtype} {decay}")
            self.assertEqual(got[0][1].count_nonzero().item(), 0)
            for gradient in torch.autograd.grad(got, leaves, [torch.ones_like(x) for x in got]):
                self.assertEqual(gradient[padding].count_nonzero().item(), 0)
                self.assertTrue(gradient.isfinite().all())

    def test_stretches_add_up(self):
        for dtype, horizon, decay in itertools.product(DTYPES, HORIZONS, (None, DECAY)):
            _, k, v = inputs(2, 90, 90, 2, 8, 6, dtype)
            options = dict(horizon=horizon, decay=decay)
            state = lambda a, b: ops.attention_state(k[:, a:b], v[:, a:b], torch.tensor([a, a + 5]), **options)
            for n in (0, 1, 40, 89, 90):
                left = torch.ones(2, dtype=torch.float64) if decay is None else torch.exp(-decay.double() * (90 - n))
                for whole, first, second in zip(state(0, 90), state(0, n), state(n, 90)):
                    faded = left.view(2, *[1] * (whole.dim() - 2)) * first.double()
                    near(self, whole, faded + second, dtype, 4 * 90, f"{dtype} {options} {n}")

    def test_nothing(self):
        for dtype, (B, T) in itertools.product(DTYPES, ((0, 3), (2, 0))):
            _, k, v = (x.requires_grad_() for x in inputs(B, T, T, 2, 4, 6, dtype))
            S, z = ops.attention_state(k, v, torch.zeros(B, dtype=torch.int64), horizon=8)
            self.assertEqual((S.shape, z.shape), ((B, 2, 2, 4, 6), (B, 2, 2, 4)))
            self.assertEqual(S.count_nonzero().item() + z.count_nonzero().item(), 0)
            (S.sum() + z.sum()).backward()


class Read(TestCase):
    def test_values_and_gradients(self):
        for dtype, horizon, normalize in itertools.product(DTYPES, HORIZONS, (True, False)):
            for T, feature_map in ((1, "relu"), (50, "relu"), (17, "identity")):
                q, k, v = inputs(2, T, 1, 4, 8, 6, dtype, 0, feature_map, 2)
                S, z, position = random_state(k, v, horizon, [0, 15])
                options = dict(horizon=horizon, normalize=normalize, feature_map=feature_map)
                results = []
                for function, tensors in (
                    (ops.attention_read, (q, S, z)),
                    (definition.attention_read, [x.double() for x in (q, S, z)]),
                ):
                    leaves = [x.detach().clone().requires_grad_() for x in tensors]
                    output = function(*leaves, position, **options)
                    weight = torch.randn(output.shape, generator=numbers(5)).to(output.dtype)
                    wanted = leaves if normalize else leaves[:2]
                    results.append((output, *torch.autograd.grad(output, wanted, weight)))
                for name, a, b in zip(("output", "d_query", "dS", "dz"), *results):
                    near(self, a, b, dtype, 8 * (T + 16), f"{name} {dtype} {options} {T}")

    def test_gradient_of_one_input_alone(self):
        for dtype, wanted in itertools.product(UNROUNDED, range(3)):
            q, k, v = inputs(1, 9, 1, 2, 4, 4, dtype)
            *state, position = random_state(k, v, 100, [5])
            results = []
            for function, tensors in (
                (ops.attention_read, (q, *state)),
                (definition.attention_read, [x.double() for x in (q, *state)]),
            ):
                leaves = [x.detach().requires_grad_(i == wanted) for i, x in enumerate(tensors)]
                function(*leaves, position, horizon=100).square().sum().backward()
                self.assertEqual([x.grad is not None for x in leaves], [i == wanted for i in range(3)])
                results.append(leaves[wanted].grad)
            near(self, *results, dtype, 64, f"{dtype} {wanted}")

    def test_cross_attention_by_a_state(self):
        """Keys that are kept as their state alone give what attention over them gives."""
        for dtype, G in itertools.product(DTYPES, (1, 4)):
            q, k, v = inputs(2, 30, 70, 4, 16, 8, dtype, G=G)
            start = torch.zeros(2, dtype=torch.int64)
            S, z = ops.attention_state(k, v, start, horizon=70)
            copies = S.clone(), z.clone()
            got = ops.attention_read(q, S, z, start, horizon=70)
            expected = definition.attention(*(x.double() for x in (q, k, v)), horizon=70)
            near(self, got, expected, dtype, 70 + 2 * 16, f"{dtype} {G}")
            self.assertTrue(torch.equal(S, copies[0]) and torch.equal(z, copies[1]))

    def test_states_of_any_strides(self):
        q, k, v = inputs(2, 9, 1, 2, 4, 4)
        S, z, position = random_state(k, v, 100, [0, 15])
        turned = [x.transpose(-1, -2).contiguous().transpose(-1, -2) for x in (q, S, z)]
        expected = ops.attention_read(q, S, z, position, horizon=100)
        self.assertTrue(torch.equal(ops.attention_read(*turned, position, horizon=100), expected))

    def test_nothing(self):
        for dtype, (B, T) in itertools.product(DTYPES, ((0, 3), (2, 0))):
            q, k, v = inputs(B, T, 1, 4, 4, 6, dtype, G=2)
            S, z, position = random_state(k, v, 100, [5] * B)
            leaves = [x.requires_grad_() for x in (q, S, z)]
            output = ops.attention_read(*leaves, position, horizon=100)
            self.assertEqual(output.shape, (B, T, 4, 6))
            output.sum().backward()
            self.assertEqual(S.grad.count_nonzero().item(), 0)


if __name__ == "__main__":
    unittest.main()
