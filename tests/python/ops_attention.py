"""attention against its definition: values and gradients within derived bounds, strides, threads, causality."""
import itertools
import unittest

import torch

import definition
from definition import DEVICE, DTYPES, TestCase, inputs, mask, numbers, ops
from rounding import UNROUNDED, bounds, excess, near


def gradients(function, tensors, d_output):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    output = function(*leaves)
    return (output.detach(), *torch.autograd.grad(output, leaves, d_output))


class Values(TestCase):
    def check(self, sizes, G=None, dtypes=DTYPES, **options):
        H, V = sizes[3], sizes[5]
        for dtype in dtypes:
            tensors = inputs(*sizes, dtype, 0, options.get("feature_map", "relu"), G)
            d_output = torch.randn(*sizes[:2], H, V, generator=numbers(1)).to(dtype)
            exact = [x.double() for x in tensors]
            expected = gradients(lambda *x: definition.attention(*x, **options), exact, d_output.double())
            got = gradients(lambda *x: ops.attention(*x, **options), tensors, d_output)
            limits = bounds(*exact, d_output.double(), expected, dtype, **options)
            for name, a, b, limit in zip(("output", "d_query", "d_key", "d_value"), got, expected, limits):
                self.assertEqual(a.dtype, dtype)
                self.assertLessEqual(excess(a, b, limit), 1e-30, f"{name} {dtype} {sizes} {options}")
            # A call without gradients takes another way through the dispatcher.
            with torch.no_grad():
                self.assertTrue(torch.equal(ops.attention(*tensors, **options), got[0]))

    def test_lengths(self):
        for T, horizon, causal in itertools.product((1, 7, 63, 64, 65, 300), (None, 300), (False, True)):
            self.check((2, T, T, 2, 16, 16), horizon=horizon, causal=causal)

    def test_bfloat16_is_no_less_exact_than_plain_torch(self):
        """The definition with every matrix in bfloat16, as torch evaluates it, is further from float64."""
        for T, width, causal, horizon in itertools.product((64, 300), (64, 128), (False, True), (None, 300)):
            options = dict(causal=causal, horizon=horizon)
            tensors = inputs(1, T, T, 2, width, width, torch.bfloat16)
            d_output = torch.randn(1, T, 2, width, generator=numbers(1)).bfloat16()
            call = lambda *x: definition.attention(*x, **options)
            exact = gradients(call, [x.double() for x in tensors], d_output.double())
            plain = gradients(call, tensors, d_output)
            got = gradients(lambda *x: ops.attention(*x, **options), tensors, d_output)
            for index, (a, b, c) in enumerate(zip(got, plain, exact)):
                half_unit = torch.ldexp(torch.ones_like(c), torch.frexp(c.abs().clamp_min(1e-30))[1] - 9)
                error, others = (a.double() - c).abs(), (b.double() - c).abs()
                self.assertLessEqual(error.norm(), others.norm() + half_unit.norm(), f"{index} {T} {width} {options}")
                if index == 0:
                    self.assertLessEqual((error - half_unit).max(), others.max(), f"{T} {width} {options}")

    @unittest.skipIf(DEVICE == "cpu", "TF32 is a GPU's")
    def test_tf32_where_torch_allows_it(self):
        tensors = inputs(2, 200, 200, 2, 64, 64, torch.float32, 0)
        exact = ops.attention(*tensors, horizon=200, causal=True)
        allowed = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            rounded = ops.attention(*tensors, horizon=200, causal=True)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = allowed
        self.assertFalse(torch.equal(rounded, exact))
        self.assertLess((rounded - exact).abs().max().item(), 2**-7 * exact.abs().max().item())

    def test_odd_widths_and_cross(self):
        for Tq, Tk, K, V in ((5, 129, 3, 5), (129, 5, 17, 1), (200, 130, 1, 33)):
            self.check((1, Tq, Tk, 3, K, V), horizon=256, causal=False)
            self.check((1, Tq, Tk, 3, K, V), horizon=None, causal=False, feature_map="identity")

    def test_identity(self):
        self.check((2, 150, 150, 2, 16, 8), horizon=150, causal=True, feature_map="identity")
        self.check((2, 150, 150, 2, 16, 8), horizon=None, causal=True, feature_map="identity", eps=64.0)

    def test_grouped_heads(self):
        for G, causal in itertools.product((1, 2, 3), (False, True)):
            self.check((2, 90, 90, 6, 16, 8), G, horizon=90, causal=causal)

    def test_numerator_alone(self):
        for horizon, causal in itertools.product((None, 100), (False, True)):
            self.check((2, 100, 100, 2, 16, 8), horizon=horizon, causal=causal, normalize=False)

    def test_decay(self):
        for horizon in (None, 150):
            for T, decay in ((9, [0.0, 0.3]), (150, [1e-3, 5.0])):
                self.check((2, T, T, 4, 16, 8), 2, horizon=horizon, causal=True, decay=torch.tensor(decay))
                self.check((2, T, T, 2, 8, 8), horizon=horizon, causal=True, decay=torch.tensor(decay), normalize=False)

    def test_masks(self):
        padding = torch.rand(4, 130, generator=numbers(2)) < 0.4
        padding[0, :50] = padding[1, 80:] = True
        padding[2] = True
        self.check((4, 130, 130, 4, 16, 8), 2, horizon=90, causal=True, query_padding_mask=padding, key_padding_mask=padding)
        self.check((4, 9, 130, 2, 16, 8), horizon=90, key_padding_mask=padding)
        self.check((4, 130, 9, 2, 16, 8), horizon=90, query_padding_mask=padding)
        other = padding.flip(0)
        self.check((4, 130, 130, 2, 16, 8), horizon=None, query_padding_mask=padding, key_padding_mask=other)

    def test_upstream_module(self):
        """The published module's formula: positions from 1, M the longer of both lengths."""
        for dtype, (Tq, Tk, causal) in itertools.product(UNROUNDED, ((10, 10, True), (20, 10, False), (10, 20, False))):
            tensors = inputs(2, Tq, Tk, 2, 8, 8, dtype)
            q, k, v = (x.double() for x in tensors)
            M = max(Tq, Tk)
            theta = torch.pi / 2 * torch.arange(1, M + 1, dtype=torch.float64)[:, None, None] / M
            q_, k_ = (
                torch.cat([x.relu() * theta[: x.shape[1]].sin(), x.relu() * theta[: x.shape[1]].cos()], -1)
                for x in (q, k)
            )
            if causal:
                kv = torch.einsum("blhd,blhm->blhdm", k_, v).cumsum(1)
                z = 1 / torch.clamp_min(torch.einsum("blhm,blhm->blh", q_, k_.cumsum(1)), 1e-6)
                expected = torch.einsum("blhd,blhdm,blh->blhm", q_, kv, z)
            else:
                kv = torch.einsum("blhd,blhm->bhdm", k_, v)
                z = 1 / torch.clamp_min(torch.einsum("blhd,bhd->blh", q_, k_.sum(1)), 1e-6)
                expected = torch.einsum("blhd,bhdm,blh->blhm", q_, kv, z)
            got = ops.attention(*tensors, horizon=M, causal=causal)
            near(self, got, expected, dtype, 16, f"{dtype} {Tq} {Tk} {causal}")

    def test_row_without_weight_is_zero(self):
        for dtype in DTYPES:
            q, k, v = inputs(1, 9, 9, 1, 4, 4, dtype)
            q[:, 3] = -1
            k[:, 0] = -1
            leaves = [x.requires_grad_() for x in (q, k, v)]
            eps = 2.0**-8 if dtype == torch.float16 else 1e-6  # 1 / eps is a factor, of at most 65,504
            output = ops.attention(*leaves, horizon=9, causal=True, eps=eps)
            self.assertEqual(output[0, 3].abs().max().item(), 0)
            self.assertEqual(output[0, 0].abs().max().item(), 0)
            output.sum().backward()
            self.assertEqual(q.grad[0, 3].abs().max().item(), 0)
            self.assertTrue(all(x.grad.isfinite().all() for x in leaves))

    def test_nothing(self):
        for dtype, (B, T) in itertools.product(DTYPES, ((0, 5), (3, 0))):
            q, k, v = (x.requires_grad_() for x in inputs(B, T, T, 2, 4, 6, dtype))
            padding = torch.zeros(B, T, dtype=torch.bool)
            masks = dict(query_padding_mask=padding, key_padding_mask=padding)
            for options in ({}, masks, dict(decay=torch.ones(2)), dict(normalize=False)):
                output = ops.attention(q, k, v, horizon=8, causal=True, **options)
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


class Bits(TestCase):
    def test_any_strides(self):
        def strided(kind, x):
            if kind == "[B, H, T, K] storage":
                return x.transpose(1, 2).contiguous().transpose(1, 2)
            if kind == "a slice":
                return torch.cat([x, x + 1], -1)[..., : x.shape[-1]]
            return x.transpose(1, 3).contiguous().transpose(1, 3)  # a last stride other than 1

        for dtype in DTYPES:
            q, k, v = inputs(2, 70, 70, 4, 16, 16, dtype, G=2)
            d_output = torch.randn(2, 70, 4, 16).to(dtype)
            padding = torch.rand(2, 70) < 0.3
            call = lambda rows, *x: ops.attention(
                *x, horizon=70, causal=True, query_padding_mask=rows, key_padding_mask=rows
            )
            plain = gradients(lambda *x: call(padding, *x), (q, k, v), d_output)
            turned = padding.T.contiguous().T
            for kind in ("[B, H, T, K] storage", "a slice", "last stride"):
                leaves = [strided(kind, x).detach().requires_grad_() for x in (q, k, v)]
                self.assertFalse(leaves[0].is_contiguous())
                output = call(turned, *leaves)
                got = torch.autograd.grad(output, leaves, strided(kind, d_output))
                for a, b in zip((output, *got), plain):
                    self.assertTrue(torch.equal(a, b), kind)

    def test_expanded_tensors(self):
        q, k, v = inputs(1, 40, 40, 1, 8, 8)
        padding = mask("..x....xxx" * 4)
        call = lambda rows, *x: ops.attention(*x, horizon=40, causal=True, query_padding_mask=rows, key_padding_mask=rows)
        leaves = [x.detach().requires_grad_() for x in (q, k, v)]
        output = call(padding.expand(3, 40), *(x.expand(3, 40, 2, 8) for x in leaves))
        output.sum().backward()  # the incoming gradient has stride 0 everywhere
        wide = [x.expand(3, 40, 2, 8).contiguous() for x in (q, k, v)]
        expected = gradients(lambda *x: call(padding.repeat(3, 1), *x), wide, torch.ones(3, 40, 2, 8))
        self.assertTrue(torch.equal(output, expected[0]))
        for leaf, gradient in zip(leaves, expected[1:]):
            torch.testing.assert_close(leaf.grad, gradient.sum((0, 2), keepdim=True))

    def test_threads_and_batch(self):
        for dtype in (torch.float32, torch.bfloat16):
            q, k, v = inputs(3, 200, 200, 2, 16, 16, dtype)
            d_output = torch.randn(3, 200, 2, 16).to(dtype)
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


if __name__ == "__main__":
    unittest.main()
