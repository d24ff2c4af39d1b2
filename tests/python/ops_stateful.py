"""attention_stateful and attention_step_: the recurrence, cuts of a sequence, gradients through the state."""
import itertools
import unittest

import torch

import definition
from definition import DTYPES, TestCase, empty_state, inputs, mask, ops, poison, random_state
from rounding import MATRIX, UNIT, UNROUNDED, near

HORIZONS = (None, 100)
DECAY = torch.tensor([0.3, 0.0])


def in_pieces(cuts, query, key, value, S, z, position, **options):
    outputs = []
    for first, last in zip((0, *cuts), (*cuts, query.shape[1])):
        piece = (x[:, first:last] for x in (query, key, value))
        output, S, z, position = ops.attention_stateful(*piece, S, z, position, **options)
        outputs.append(output)
    return torch.cat(outputs, 1), S, z, position


def reordered(dtype, T):
    """How far, relative to the norm, two orders of summing T terms may be apart."""
    return 4 * T * torch.finfo(definition.state_type(dtype)).eps + 8 * MATRIX[dtype]


class Values(TestCase):
    def test_recurrence_by_definition(self):
        for dtype, horizon, T in itertools.product(DTYPES, HORIZONS, (1, 2, 7, 90)):
            for options in ({}, dict(feature_map="identity"), dict(normalize=False), dict(decay=DECAY)):
                feature_map = options.get("feature_map", "relu")
                q, k, v = inputs(2, T, T, 4, 8, 5, dtype, 0, feature_map, 2)
                S, z, position = random_state(k, v, horizon, [0, 10])
                exact = [x.double() for x in (q, k, v, S, z)]
                expected = definition.attention_stateful(*exact, position, horizon=horizon, **options)
                got = ops.attention_stateful(q, k, v, S, z, position, horizon=horizon, **options)
                self.assertTrue(torch.equal(got[3], expected[3]))
                # A sum of at most T + 2 K products: the same with absolute values is what errors are relative to; a
                # weight is relative to what it is without its cosine, here at worst 1 / cos(pi / 4) of it twice.
                size = definition.attention_stateful(
                    *exact[:2], exact[2].abs(), exact[3].abs(), exact[4], position, horizon=horizon, **options
                )
                unit = 4 * (T + 3 * 8 + 8) * UNIT[dtype] + 8 * MATRIX[dtype]
                for a, b, c, result in zip(got[:3], expected, size, ("output", "S", "z")):
                    bound = unit * (c + b.abs())
                    excess = ((a.double() - b).abs() - bound).max().item()
                    self.assertLessEqual(excess, 1e-30, f"{result} {dtype} {horizon} {T} {options}")

    def test_padding_by_definition(self):
        padding = mask("..x.x", "xxxxx", "xxxx.")
        for dtype, horizon in itertools.product(UNROUNDED, HORIZONS):
            for options in ({}, dict(decay=DECAY), dict(normalize=False)):
                q, k, v = poison(padding, *inputs(3, 5, 5, 4, 8, 6, dtype, G=2))
                *state, position = random_state(k, v, horizon, [0, 10, 97])
                call = dict(horizon=horizon, padding_mask=padding) | options
                expected = definition.attention_stateful(*(x.double() for x in (q, k, v, *state)), position, **call)
                got = ops.attention_stateful(q, k, v, *state, position, **call)
                self.assertTrue(torch.equal(got[3], expected[3]))
                for a, b in zip(got[:3], expected):
                    near(self, a, b, dtype, 16, f"{dtype} {call}")

    def test_from_the_start_it_is_attention(self):
        for dtype, T in itertools.product(DTYPES, (1, 40, 100)):
            q, k, v = inputs(2, T, T, 2, 16, 16, dtype)
            output, S, z, position = ops.attention_stateful(q, k, v, *empty_state(k, v, 100), horizon=100)
            expected = ops.attention(q, k, v, horizon=100, causal=True)
            self.assertLessEqual(((output - expected).norm() / expected.norm()).item(), reordered(dtype, T))
            self.assertEqual(position.tolist(), [T, T])
            for a, b in zip((S, z), ops.attention_state(k, v, torch.zeros(2, dtype=torch.int64), horizon=100)):
                self.assertLessEqual(((a - b).norm() / b.norm()).item(), reordered(dtype, T))

    def test_any_cut_equals_one_call(self):
        for dtype, horizon in itertools.product(DTYPES, HORIZONS):
            for options in ({}, dict(decay=DECAY / 10), dict(normalize=False)):
                self.check_cuts(dtype, dict(horizon=horizon) | options)

    def check_cuts(self, dtype, options):
        T = 90
        q, k, v = inputs(2, T, T, 4, 8, 8, dtype, G=2)
        state = random_state(k, v, options["horizon"], [0, 10])
        weights = [torch.randn(2, T, 4, 8).to(dtype), *(torch.randn_like(x) for x in state[:2])]

        def run(cuts):
            leaves = [x.detach().requires_grad_() for x in (q, k, v, *state[:2])]
            results = in_pieces(cuts, *leaves, state[2], **options)
            *gradients, d_S, d_z = torch.autograd.grad(results[:3], leaves, weights)
            d_state = torch.cat([d_S, d_z[..., None]], -1)  # z is one more column of S
            return [*(x.detach() for x in results[:3]), *gradients, d_state], results[3]

        one, end = run(())
        for cuts in ((1,), (45,), (89,), (0, 64, 64), (7, 8, 63, 65), tuple(range(1, T, 1 if dtype == torch.float64 else 3))):
            several, position = run(cuts)
            self.assertEqual(position.tolist(), end.tolist())
            for i, (a, b) in enumerate(zip(several, one)):
                self.assertEqual(a.dtype, b.dtype)
                error = ((a - b).double().norm() / b.double().norm()).item()
                self.assertLessEqual(error, reordered(dtype, T), (cuts, dtype, options, i))

    def test_step_by_step_equals_one_call(self):
        for dtype, horizon in itertools.product(DTYPES, HORIZONS):
            for options in ({}, dict(feature_map="identity"), dict(normalize=False), dict(decay=DECAY)):
                q, k, v = inputs(2, 60, 60, 4, 8, 5, dtype, 0, options.get("feature_map", "relu"), 2)
                state = random_state(k, v, horizon, [3, 40])
                expected = ops.attention_stateful(q, k, v, *state, horizon=horizon, **options)
                S, z, position = (x.clone() for x in state)
                steps = []
                for t in range(60):
                    token = (x[:, t : t + 1] for x in (q, k, v))
                    steps.append(ops.attention_step_(*token, S, z, position, horizon=horizon, **options))
                for a, b in zip((torch.cat(steps, 1), S, z), expected):
                    self.assertLessEqual(((a - b).norm() / b.norm()).item(), reordered(dtype, 60), (dtype, options))
                self.assertEqual(position.tolist(), [63, 100])

    def test_nothing(self):
        for dtype, (B, T) in itertools.product(DTYPES, ((0, 4), (2, 0))):
            q, k, v = (x.requires_grad_() for x in inputs(B, T, T, 2, 4, 6, dtype))
            state = random_state(k, v, 100, [5] * B)
            output, S, z, position = ops.attention_stateful(q, k, v, *state, horizon=100)
            self.assertEqual(output.shape, (B, T, 2, 6))
            self.assertTrue(torch.equal(S, state[0]) and torch.equal(z, state[1]) and torch.equal(position, state[2]))
            (output.sum() + S.sum()).backward()
        q, k, v = inputs(0, 1, 1, 2, 4, 6)
        self.assertEqual(ops.attention_step_(q, k, v, *random_state(k, v, 100, []), horizon=100).shape, (0, 1, 2, 6))

    def test_value_of_no_width_still_advances_z(self):
        for dtype in DTYPES:
            q, k, v = inputs(2, 5, 5, 2, 4, 0, dtype)
            state = random_state(k, v, 100, [0, 9])
            wide = inputs(2, 5, 5, 2, 4, 3, dtype)[2]
            expected = ops.attention_stateful(q, k, wide, empty_state(k, wide, 100)[0], *state[1:], horizon=100)
            output, _, z, _ = ops.attention_stateful(q, k, v, *state, horizon=100)
            self.assertEqual(output.shape, (2, 5, 2, 0))
            self.assertTrue(torch.equal(z, expected[2]))

    def test_outputs_are_new_and_inputs_unchanged(self):
        for T in (0, 5):
            q, k, v = inputs(2, T, T, 2, 4, 4)
            state = random_state(k, v, 100, [0, 9])
            copies = [x.clone() for x in state]
            results = ops.attention_stateful(q, k, v, *state, horizon=100)
            for new, old, copy in zip(results[1:], state, copies):
                self.assertNotEqual(new.data_ptr(), old.data_ptr())
                self.assertTrue(torch.equal(old, copy))

    def test_any_strides(self):
        q, k, v = inputs(2, 30, 30, 2, 8, 8)
        state = random_state(k, v, 100, [0, 9])
        padding = torch.rand(2, 30) < 0.3
        expected = ops.attention_stateful(q, k, v, *state, horizon=100, padding_mask=padding)
        turned = [x.transpose(-1, -2).contiguous().transpose(-1, -2) for x in (q, k, v, *state[:2])]
        position = torch.stack([state[2], state[2]], 1)[:, 0]
        got = ops.attention_stateful(*turned, position, horizon=100, padding_mask=padding.T.contiguous().T)
        for a, b in zip(got, expected):
            self.assertTrue(torch.equal(a, b))


class Gradients(TestCase):
    def test_of_one_input_alone(self):
        for dtype, wanted in itertools.product(UNROUNDED, range(5)):
            q, k, v = inputs(1, 9, 9, 2, 4, 4, dtype)
            *state, position = random_state(k, v, 100, [5])
            results = []
            for function, tensors in (
                (ops.attention_stateful, (q, k, v, *state)),
                (definition.attention_stateful, [x.double() for x in (q, k, v, *state)]),
            ):
                leaves = [x.detach().requires_grad_(i == wanted) for i, x in enumerate(tensors)]
                output, S, z, _ = function(*leaves, position, horizon=100)
                (output.square().sum() + S.square().sum() + z.square().sum()).backward()
                self.assertEqual([x.grad is not None for x in leaves], [i == wanted for i in range(5)])
                results.append(leaves[wanted].grad)
            near(self, *results, dtype, 64, f"{dtype} {wanted}")

    def test_of_one_result_alone(self):
        """A result that leads nowhere has no gradient, and what it holds does not matter."""
        for dtype, i in itertools.product(DTYPES, range(3)):
            q, k, v = inputs(2, 20, 20, 4, 4, 6, dtype, G=2)
            *state, position = random_state(k, v, 100, [0, 9])
            results = []
            for function, tensors in (
                (ops.attention_stateful, (q, k, v, *state)),
                (definition.attention_stateful, [x.double() for x in (q, k, v, *state)]),
            ):
                leaves = [x.detach().clone().requires_grad_() for x in tensors]
                function(*leaves, position, horizon=100)[i].square().sum().backward()
                results.append([torch.zeros_like(x) if x.grad is None else x.grad for x in leaves])
            for a, b in zip(*results):
                error = (a.double() - b).norm()
                self.assertLessEqual(error.item(), (64 * reordered(dtype, 20) * b.norm()).item() + 1e-30, (dtype, i))


class Step(TestCase):
    def test_a_graph_notices_it(self):
        q, k, v = inputs(1, 1, 1, 1, 4, 4)
        S, z, position = empty_state(k, v, 100)
        output, *_ = ops.attention_stateful(q.requires_grad_(), k, v, S, z, position, horizon=100)
        ops.attention_step_(*(x.detach() for x in (q, k, v)), S, z, position, horizon=100)
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            output.sum().backward()

    def test_under_no_grad_and_inference_mode(self):
        q, k, v = (x.requires_grad_() for x in inputs(1, 1, 1, 1, 4, 4))
        with torch.no_grad():
            S, z, position = empty_state(k, v, 100)
            expected = ops.attention_step_(q, k, v, S, z, position, horizon=100)
        with torch.inference_mode():
            state = empty_state(k, v, 100)
            output = ops.attention_step_(q, k, v, *state, horizon=100)
        self.assertTrue(torch.equal(output, expected) and torch.equal(state[0], S))
        self.assertEqual(state[2].tolist(), [1])


if __name__ == "__main__":
    unittest.main()
