"""attention against its definition: values, gradients, strides, and PyTorch's own checks of an operator."""
import itertools
import unittest

import torch

import definition
from definition import inputs, ops


def gradients(function, tensors, d_output):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    output = function(*leaves)
    return (output.detach(), *torch.autograd.grad(output, leaves, d_output))


class Values(unittest.TestCase):
    def check(self, sizes, **options):
        q, k, v = inputs(*sizes, feature_map=options.get("feature_map", "relu"))
        d_output = torch.randn(v.shape[0], q.shape[1], v.shape[2], v.shape[3], generator=torch.Generator().manual_seed(1))
        expected = gradients(lambda *x: definition.attention(*x, **options), [x.double() for x in (q, k, v)], d_output.double())
        names = ("output", "d_query", "d_key", "d_value")
        bounds = definition.bounds(q, k, v, d_output, **options)
        for dtype in (torch.float32, torch.float64):
            got = gradients(
                lambda *x: ops.attention(*x, **options), [x.to(dtype) for x in (q, k, v)], d_output.to(dtype)
            )
            for name, a, b, bound in zip(names, got, expected, bounds):
                self.assertEqual(a.dtype, dtype)
                if dtype == torch.float64:  # 2^-53 against 2^-24, with room for eps, which travels as float32
                    bound = bound * 2.0**-26
                excess = ((a.double() - b).abs() - bound).max().item() if a.numel() else 0
                self.assertLessEqual(excess, 1e-30, f"{name} {dtype} {sizes} {options}")
        # A call without gradients takes another way through the dispatcher.
        with torch.no_grad():
            quiet = ops.attention(q, k, v, **options)
        self.assertTrue(torch.equal(quiet, ops.attention(q.requires_grad_(), k, v, **options)))

    def test_lengths(self):
        for T, horizon, causal in itertools.product((1, 7, 63, 64, 65, 300), (None, 300), (False, True)):
            self.check((2, T, T, 2, 16, 16), horizon=horizon, causal=causal)

    def test_odd_widths_and_cross(self):
        for Tq, Tk, K, V in ((5, 129, 3, 5), (129, 5, 17, 1), (200, 130, 1, 33)):
            self.check((1, Tq, Tk, 3, K, V), horizon=256, causal=False)
            self.check((1, Tq, Tk, 3, K, V), horizon=None, causal=False, feature_map="identity")

    def test_identity(self):
        self.check((2, 150, 150, 2, 16, 8), horizon=150, causal=True, feature_map="identity")
        self.check((2, 150, 150, 2, 16, 8), horizon=None, causal=True, feature_map="identity", eps=64.0)

    def test_row_without_weight_is_zero(self):
        q, k, v = inputs(1, 9, 9, 1, 4, 4)
        q[:, 3] = -1
        k[:, 0] = -1
        leaves = [x.requires_grad_() for x in (q, k, v)]
        output = ops.attention(*leaves, horizon=9, causal=True)
        self.assertEqual(output[0, 3].abs().max().item(), 0)
        self.assertEqual(output[0, 0].abs().max().item(), 0)
        output.sum().backward()
        self.assertEqual(q.grad[0, 3].abs().max().item(), 0)
        self.assertTrue(all(x.grad.isfinite().all() for x in leaves))

    def test_nothing(self):
        for B, T in ((0, 5), (3, 0)):
            q, k, v = (x.requires_grad_() for x in inputs(B, T, T, 2, 4, 6))
            output = ops.attention(q, k, v, horizon=8, causal=True)
            self.assertEqual(output.shape, (B, T, 2, 6))
            output.sum().backward()
            self.assertEqual(q.grad.shape, q.shape)
        for causal, (H, K, V) in itertools.product((False, True), ((0, 4, 4), (2, 0, 4), (2, 4, 0))):
            q, k, v = (x.requires_grad_() for x in inputs(2, 70, 70, H, K, V))
            output = ops.attention(q, k, v, horizon=70, causal=causal)
            self.assertEqual(output.shape, (2, 70, H, V))
            self.assertEqual(output.count_nonzero().item(), 0)
            output.sum().backward()
            self.assertTrue(all(x.grad.count_nonzero() == 0 for x in (q, k, v)))
        q, k, v = inputs(2, 3, 0, 2, 4, 6)
        self.assertTrue(torch.equal(ops.attention(q, k, v, horizon=8), torch.zeros(2, 3, 2, 6)))

    def test_any_strides_give_the_same_bits(self):
        q, k, v = inputs(2, 70, 70, 3, 16, 16)
        d_output = torch.randn(2, 70, 3, 16)
        plain = gradients(lambda *x: ops.attention(*x, horizon=70, causal=True), (q, k, v), d_output)

        def strided(kind, x):
            if kind == "[B, H, T, K] storage":
                return x.transpose(1, 2).contiguous().transpose(1, 2)
            if kind == "a slice":
                return torch.cat([x, x + 1], -1)[..., : x.shape[-1]]
            return x.transpose(1, 3).contiguous().transpose(1, 3)  # a last stride other than 1

        for kind in ("[B, H, T, K] storage", "a slice", "last stride"):
            views = [strided(kind, x) for x in (q, k, v)]
            self.assertFalse(views[0].is_contiguous())
            leaves = [x.detach().requires_grad_() for x in views]
            output = ops.attention(*leaves, horizon=70, causal=True)
            got = torch.autograd.grad(output, leaves, strided(kind, d_output))
            for a, b in zip((output, *got), plain):
                self.assertTrue(torch.equal(a, b), kind)

    def test_expanded_tensors(self):
        q, k, v = inputs(1, 40, 40, 1, 8, 8)
        leaves = [x.detach().requires_grad_() for x in (q, k, v)]
        output = ops.attention(*(x.expand(3, 40, 2, 8) for x in leaves), horizon=40, causal=True)
        output.sum().backward()  # the incoming gradient has stride 0 everywhere
        wide = [x.expand(3, 40, 2, 8).contiguous() for x in (q, k, v)]
        expected = gradients(lambda *x: ops.attention(*x, horizon=40, causal=True), wide, torch.ones(3, 40, 2, 8))
        self.assertTrue(torch.equal(output, expected[0]))
        for leaf, gradient in zip(leaves, expected[1:]):
            torch.testing.assert_close(leaf.grad, gradient.sum((0, 2), keepdim=True))

    def test_threads_and_batch_never_change_bits(self):
        q, k, v = inputs(3, 200, 200, 2, 16, 16)
        d_output = torch.randn(3, 200, 2, 16)
        call = lambda *x: ops.attention(*x, horizon=200, causal=True)
        threads = torch.get_num_threads()
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(gradients(call, (q, k, v), d_output))
        torch.set_num_threads(threads)
        alone = gradients(call, (q[1:2], k[1:2], v[1:2]), d_output[1:2])
        for one, two, three, single in zip(*results, alone):
            self.assertTrue(torch.equal(one, two) and torch.equal(one, three) and torch.equal(one[1:2], single))

    def test_the_future_never_changes_the_past(self):
        q, k, v = inputs(1, 200, 200, 2, 16, 16)
        before = ops.attention(q, k, v, horizon=200, causal=True)
        for x in (q, k, v):
            x[:, 100:] = float("nan")
        after = ops.attention(q, k, v, horizon=200, causal=True)
        self.assertTrue(torch.equal(before[:, :100], after[:, :100]))
        self.assertTrue(after[:, 100:].isnan().all())


class Operator(unittest.TestCase):
    def test_gradcheck(self):
        cases = [
            ((2, 6, 6, 2, 3, 4), dict(horizon=6, causal=True)),
            ((2, 6, 6, 2, 3, 4), dict(horizon=9, causal=False)),
            ((1, 5, 7, 2, 3, 2), dict(horizon=7)),
            ((1, 5, 7, 2, 3, 2), dict(horizon=None)),
            ((2, 6, 6, 1, 3, 4), dict(horizon=None, causal=True)),
            ((2, 6, 6, 1, 3, 4), dict(horizon=6, causal=True, feature_map="identity")),
            ((1, 6, 4, 2, 3, 4), dict(horizon=None, feature_map="identity", eps=8.0)),
        ]
        for sizes, options in cases:
            leaves = [x.requires_grad_() for x in inputs(*sizes, torch.float64, 3, options.get("feature_map", "relu"))]
            with self.subTest(sizes=sizes, **options):
                torch.autograd.gradcheck(lambda *x: ops.attention(*x, **options), leaves)

    def test_gradient_of_one_input_alone(self):
        q, k, v = inputs(1, 20, 20, 2, 4, 4, torch.float64)
        for wanted in range(3):
            leaves = [x.detach().requires_grad_(i == wanted) for i, x in enumerate((q, k, v))]
            ops.attention(*leaves, horizon=20).square().sum().backward()
            ours = leaves[wanted].grad
            leaves = [x.detach().requires_grad_(i == wanted) for i, x in enumerate((q, k, v))]
            definition.attention(*leaves, horizon=20).square().sum().backward()
            torch.testing.assert_close(ours, leaves[wanted].grad)
            self.assertEqual([x.grad is not None for x in leaves], [i == wanted for i in range(3)])

    def test_opcheck(self):
        for dtype, grad, causal in itertools.product((torch.float32, torch.float64), (False, True), (False, True)):
            tensors = tuple(x.requires_grad_(grad) for x in inputs(2, 9, 9, 2, 4, 6, dtype))
            torch.library.opcheck(ops.attention.default, tensors, dict(horizon=12, causal=causal))
        torch.library.opcheck(ops.attention.default, inputs(2, 5, 9, 2, 4, 6), dict(horizon=None))

    def test_opcheck_of_what_autograd_calls(self):
        q, k, v = inputs(2, 9, 9, 2, 4, 6)
        options = dict(horizon=12, causal=True, feature_map="relu", eps=1e-6)
        torch.library.opcheck(ops._attention_forward.default, (q, k, v), options)
        output, denominator = ops._attention_forward(q, k, v, **options)
        torch.library.opcheck(
            ops._attention_backward.default, (torch.ones_like(output), q, k, v, output, denominator), options
        )


if __name__ == "__main__":
    unittest.main()
