"""attention_stateful and attention_step_: the recurrence, cuts of a sequence, gradients through the state."""
import itertools
import unittest

import torch

import definition
from definition import empty_state, inputs, ops

HORIZONS = (None, 100)


def random_state(query, value, horizon, positions):
    """A state that rows have really reached, at positions of their own."""
    S, z, _ = empty_state(query, value, horizon)
    generator = torch.Generator().manual_seed(7)
    S = torch.randn(S.shape, generator=generator, dtype=torch.float64)
    z = torch.rand(z.shape, generator=generator, dtype=torch.float64) + 0.1
    return S.to(query.dtype), z.to(query.dtype), torch.tensor(positions, dtype=torch.int64)


def in_pieces(cuts, query, key, value, S, z, position, **options):
    outputs = []
    for first, last in zip((0, *cuts), (*cuts, query.shape[1])):
        piece = (x[:, first:last] for x in (query, key, value))
        output, S, z, position = ops.attention_stateful(*piece, S, z, position, **options)
        outputs.append(output)
    return torch.cat(outputs, 1), S, z, position


class Values(unittest.TestCase):
    def test_recurrence_by_definition(self):
        for horizon, feature_map in itertools.product(HORIZONS, ("relu", "identity")):
            for T in (1, 7, 64, 90):
                q, k, v = inputs(2, T, T, 3, 8, 5, torch.float64, 0, feature_map)
                state = random_state(q, v, horizon, [0, 10])
                options = dict(horizon=horizon, feature_map=feature_map)
                expected = definition.attention_stateful(q, k, v, *state, **options)
                got = ops.attention_stateful(q, k, v, *state, **options)
                for a, b in zip(got, expected):
                    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
                # float32: each result is a sum of at most T + K products, one of the factors non-negative.
                single = ops.attention_stateful(*(x.float() for x in (q, k, v, *state[:2])), state[2], **options)
                absolute = definition.attention_stateful(
                    *(x.abs() if x is v else x for x in (q, k, v)), state[0].abs(), *state[1:], **options
                )
                for a, b, c in zip(single[:3], expected, absolute):
                    bound = 2 * (T + 3 * 8 + 8) * definition.UNIT_ROUNDOFF * c
                    self.assertLessEqual(((a.double() - b).abs() - bound).max().item(), 0, (horizon, feature_map, T))

    def test_from_the_start_it_is_attention(self):
        for dtype, T in itertools.product((torch.float32, torch.float64), (1, 40, 100)):
            q, k, v = inputs(2, T, T, 2, 16, 16, dtype)
            output, S, z, position = ops.attention_stateful(q, k, v, *empty_state(q, v, 100), horizon=100)
            bound, *_ = definition.bounds(q, k, v, v, horizon=100, causal=True)
            expected = ops.attention(q, k, v, horizon=100, causal=True)
            self.assertLessEqual(((output - expected).abs() - 2 * bound).max().item(), 0)
            self.assertEqual(position.tolist(), [T, T])

    def test_any_cut_equals_one_call(self):
        for dtype, horizon in itertools.product((torch.float32, torch.float64), HORIZONS):
            T = 90
            q, k, v = inputs(2, T, T, 2, 8, 8, dtype)
            state = random_state(q, v, horizon, [0, 10])
            weights = [torch.randn(2, T, 2, 8, dtype=dtype), *(torch.randn_like(x) for x in state[:2])]

            def run(cuts):
                leaves = [x.detach().requires_grad_() for x in (q, k, v, *state[:2])]
                results = in_pieces(cuts, *leaves, state[2], horizon=horizon)
                gradients = torch.autograd.grad(sum((x * w).sum() for x, w in zip(results, weights)), leaves)
                return [x.detach() for x in results[:3]] + list(gradients), results[3]

            one, end = run(())
            for cuts in ((1,), (45,), (89,), (0, 64, 64), (7, 8, 63, 65), tuple(range(1, T))):
                several, position = run(cuts)
                self.assertEqual(position.tolist(), end.tolist())
                for i, (a, b) in enumerate(zip(several, one)):
                    # Both sum the same terms in another order: norm times the number of roundings.
                    error = (a - b).norm() / b.norm()
                    self.assertLessEqual(error.item(), 4 * T * torch.finfo(dtype).eps, (cuts, dtype, horizon, i))

    def test_step_by_step_equals_one_call(self):
        for dtype, horizon, feature_map in itertools.product(
            (torch.float32, torch.float64), HORIZONS, ("relu", "identity")
        ):
            q, k, v = inputs(2, 60, 60, 3, 8, 5, dtype, 0, feature_map)
            state = random_state(q, v, horizon, [3, 40])
            expected = ops.attention_stateful(q, k, v, *state, horizon=horizon, feature_map=feature_map)
            S, z, position = (x.clone() for x in state)
            steps = []
            for t in range(60):
                token = (x[:, t : t + 1] for x in (q, k, v))
                steps.append(ops.attention_step_(*token, S, z, position, horizon=horizon, feature_map=feature_map))
            for a, b in zip((torch.cat(steps, 1), S, z), expected):
                self.assertLessEqual(((a - b).norm() / b.norm()).item(), 100 * torch.finfo(dtype).eps)
            self.assertEqual(position.tolist(), [63, 100])

    def test_nothing(self):
        for B, T in ((0, 4), (2, 0)):
            q, k, v = (x.requires_grad_() for x in inputs(B, T, T, 2, 4, 6))
            state = random_state(q, v, 100, [5] * B)
            output, S, z, position = ops.attention_stateful(q, k, v, *state, horizon=100)
            self.assertEqual(output.shape, (B, T, 2, 6))
            self.assertTrue(torch.equal(S, state[0]) and torch.equal(z, state[1]) and torch.equal(position, state[2]))
            (output.sum() + S.sum()).backward()
        q, k, v = inputs(0, 1, 1, 2, 4, 6)
        self.assertEqual(ops.attention_step_(q, k, v, *random_state(q, v, 100, []), horizon=100).shape, (0, 1, 2, 6))

    def test_value_of_no_width_still_advances_z(self):
        for dtype in (torch.float32, torch.float64):
            q, k, v = inputs(2, 5, 5, 2, 4, 0, dtype)
            state = random_state(q, v, 100, [0, 9])
            wide = inputs(2, 5, 5, 2, 4, 3, dtype)[2]
            expected = ops.attention_stateful(q, k, wide, empty_state(q, wide, 100)[0], *state[1:], horizon=100)
            output, _, z, _ = ops.attention_stateful(q, k, v, *state, horizon=100)
            self.assertEqual(output.shape, (2, 5, 2, 0))
            self.assertTrue(torch.equal(z, expected[2]))

    def test_outputs_are_new_and_inputs_unchanged(self):
        for T in (0, 5):
            q, k, v = inputs(2, T, T, 2, 4, 4)
            state = random_state(q, v, 100, [0, 9])
            copies = [x.clone() for x in state]
            results = ops.attention_stateful(q, k, v, *state, horizon=100)
            for new, old, copy in zip(results[1:], state, copies):
                self.assertNotEqual(new.data_ptr(), old.data_ptr())
                self.assertTrue(torch.equal(old, copy))

    def test_any_strides(self):
        q, k, v = inputs(2, 30, 30, 2, 8, 8)
        state = random_state(q, v, 100, [0, 9])
        expected = ops.attention_stateful(q, k, v, *state, horizon=100)
        turned = [x.transpose(-1, -2).contiguous().transpose(-1, -2) for x in (q, k, v, *state[:2])]
        position = torch.stack([state[2], state[2]], 1)[:, 0]
        for a, b in zip(ops.attention_stateful(*turned, position, horizon=100), expected):
            self.assertTrue(torch.equal(a, b))


class Operator(unittest.TestCase):
    def test_gradcheck(self):
        for horizon, feature_map, T in ((None, "relu", 5), (20, "relu", 5), (20, "identity", 3), (20, "relu", 1)):
            q, k, v = inputs(2, T, T, 2, 3, 4, torch.float64, 3, feature_map)
            *state, position = random_state(q, v, horizon, [0, 9])
            leaves = [x.requires_grad_() for x in (q, k, v, *state)]

            def call(*x):
                return ops.attention_stateful(*x, position, horizon=horizon, feature_map=feature_map)

            with self.subTest(horizon=horizon, feature_map=feature_map, T=T):
                torch.autograd.gradcheck(lambda *x: call(*x)[:3], leaves)
                # One result alone: the others' gradients are absent.
                for i in range(3):
                    torch.autograd.gradcheck(lambda *x: call(*x)[i], leaves)

    def test_gradient_of_one_input_alone(self):
        q, k, v = inputs(1, 9, 9, 2, 4, 4, torch.float64)
        *state, position = random_state(q, v, 100, [5])
        for wanted in range(5):
            results = []
            for function in (ops.attention_stateful, definition.attention_stateful):
                leaves = [x.detach().requires_grad_(i == wanted) for i, x in enumerate((q, k, v, *state))]
                output, S, z, _ = function(*leaves, position, horizon=100)
                (output.square().sum() + S.square().sum() + z.square().sum()).backward()
                self.assertEqual([x.grad is not None for x in leaves], [i == wanted for i in range(5)])
                results.append(leaves[wanted].grad)
            torch.testing.assert_close(*results)

    def test_opcheck(self):
        for dtype, grad, horizon in itertools.product((torch.float32, torch.float64), (False, True), HORIZONS):
            q, k, v = inputs(2, 9, 9, 2, 4, 6, dtype)
            *state, position = random_state(q, v, horizon, [0, 9])
            tensors = [x.requires_grad_(grad) for x in (q, k, v, *state)]
            torch.library.opcheck(ops.attention_stateful.default, (*tensors, position), dict(horizon=horizon))

    def test_opcheck_of_what_autograd_calls(self):
        q, k, v = inputs(2, 9, 9, 2, 4, 6)
        state = random_state(q, v, 100, [0, 9])
        options = dict(horizon=100, feature_map="relu", eps=1e-6)
        torch.library.opcheck(ops._attention_stateful_forward.default, (q, k, v, *state), options)
        output, denominator, S, z, _ = ops._attention_stateful_forward(q, k, v, *state, **options)
        for gradients in ((output, S, z), (None, S, None)):
            torch.library.opcheck(
                ops._attention_stateful_backward.default, (*gradients, q, k, v, *state, output, denominator), options
            )

    def test_opcheck_step(self):
        for dtype, horizon in itertools.product((torch.float32, torch.float64), HORIZONS):
            q, k, v = inputs(2, 1, 1, 2, 4, 6, dtype)
            state = random_state(q, v, horizon, [0, 9])
            torch.library.opcheck(ops.attention_step_.default, (q, k, v, *state), dict(horizon=horizon))

    def test_a_graph_notices_the_step(self):
        q, k, v = inputs(1, 1, 1, 1, 4, 4)
        S, z, position = empty_state(q, v, 100)
        output, *_ = ops.attention_stateful(q.requires_grad_(), k, v, S, z, position, horizon=100)
        ops.attention_step_(*(x.detach() for x in (q, k, v)), S, z, position, horizon=100)
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            output.sum().backward()

    def test_step_under_no_grad_and_inference_mode(self):
        q, k, v = (x.requires_grad_() for x in inputs(1, 1, 1, 1, 4, 4))
        with torch.no_grad():
            S, z, position = empty_state(q, v, 100)
            expected = ops.attention_step_(q, k, v, S, z, position, horizon=100)
        with torch.inference_mode():
            state = empty_state(q, v, 100)
            output = ops.attention_step_(q, k, v, *state, horizon=100)
        self.assertTrue(torch.equal(output, expected) and torch.equal(state[0], S))
        self.assertEqual(state[2].tolist(), [1])


if __name__ == "__main__":
    unittest.main()
