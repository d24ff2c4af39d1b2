"""Padding and packing: the bits that no padding gives, rows that are never read, positions that count tokens."""
import itertools
import math
import unittest

import torch

import definition
from definition import DTYPES, TestCase, inputs, mask, numbers, ops, poison
from rounding import UNROUNDED, bounds, excess, near

LENGTHS = (37, 0, 90, 1, 16)
ROWS = 96


def layouts(lengths, T):
    """Padding masks [B, T] of every kind for sequences of these lengths."""
    generator = numbers(3)
    right = torch.arange(T).expand(len(lengths), T) >= torch.tensor(lengths)[:, None]
    order = [torch.randperm(T, generator=generator) for _ in lengths]
    holes = torch.stack([row[o] for row, o in zip(right, order)])
    return dict(left=right.flip(1), right=right, holes=holes)


def offsets(lengths, dtype=torch.int64):
    return torch.tensor([0, *itertools.accumulate(lengths)], dtype=dtype)


def spread(packed, padding):
    """[total, heads, width] into the rows of [B, T] that are no padding; NaN elsewhere."""
    wide = packed.new_full((*padding.shape, *packed.shape[1:]), math.nan)
    wide[~padding] = packed
    return wide


def run(call, tensors, d_output):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    output = call(*leaves)
    return [output.detach(), *torch.autograd.grad(output, leaves, d_output)]


class SameBits(TestCase):
    def check(self, dtype, options, G=2, K=16, V=8):
        total, H = sum(LENGTHS), 4
        q, k, v = (x[0] for x in inputs(1, total, total, H, K, V, dtype, G=G))
        d_output = torch.randn(total, H, V).to(dtype)
        cu = offsets(LENGTHS)
        alone = [
            run(lambda *x: ops.attention(*x, **options), [x[a:b][None] for x in (q, k, v)], d_output[a:b][None])
            for a, b in itertools.pairwise(cu.tolist())
        ]
        expected = [torch.cat([piece[i][0] for piece in alone]) for i in range(4)]
        for index in (torch.int32, torch.int64):
            packed = run(lambda *x: ops.attention_varlen(*x, cu.to(index), cu.to(index), **options), (q, k, v), d_output)
            for a, b in zip(packed, expected):
                self.assertTrue(torch.equal(a, b), f"packed {dtype} {options}")
        for kind, padding in layouts(LENGTHS, ROWS).items():
            call = lambda *x: ops.attention(*x, query_padding_mask=padding, key_padding_mask=padding, **options)
            padded = run(call, [spread(x, padding) for x in (q, k, v)], spread(d_output, padding))
            for a, b in zip(padded, expected):
                self.assertTrue(torch.equal(a[~padding], b), f"{kind} {dtype} {options}")
                self.assertEqual(a[padding].count_nonzero().item(), 0)

    def test_causal(self):
        for dtype, horizon in itertools.product(DTYPES, (None, 90)):
            self.check(dtype, dict(horizon=horizon, causal=True))

    def test_not_causal(self):
        for dtype, horizon in itertools.product(DTYPES, (None, 90)):
            self.check(dtype, dict(horizon=horizon))

    def test_decay_and_numerator_alone(self):
        for dtype in DTYPES:
            self.check(dtype, dict(horizon=90, causal=True, decay=torch.tensor([0.1, 2.0])))
            self.check(dtype, dict(horizon=None, causal=True, decay=torch.tensor([0.0, 1e-3]), normalize=False))

    def test_cross_attention(self):
        k_lengths = (20, 96, 0, 8, 3)
        for dtype in DTYPES:
            q, _, _ = (x[0] for x in inputs(1, sum(LENGTHS), 1, 2, 16, 8, dtype))
            _, k, v = (x[0] for x in inputs(1, 1, sum(k_lengths), 2, 16, 8, dtype))
            d_output = torch.randn(sum(LENGTHS), 2, 8).to(dtype)
            packed = run(
                lambda *x: ops.attention_varlen(*x, offsets(LENGTHS), offsets(k_lengths), horizon=96), (q, k, v), d_output
            )
            masks = zip(layouts(LENGTHS, ROWS).values(), list(layouts(k_lengths, 100).values())[::-1])
            for q_mask, k_mask in masks:
                padded = run(
                    lambda *x: ops.attention(*x, horizon=96, query_padding_mask=q_mask, key_padding_mask=k_mask),
                    (spread(q, q_mask), spread(k, k_mask), spread(v, k_mask)),
                    spread(d_output, q_mask),
                )
                for a, b, rows in zip(padded, packed, (q_mask, q_mask, k_mask, k_mask)):
                    self.assertTrue(torch.equal(a[~rows], b))
                    self.assertEqual(a[rows].count_nonzero().item(), 0)

    def test_state_and_stretch(self):
        for dtype in DTYPES:
            for decay in (None, torch.tensor([0.1, 0.0])):
                for lengths in ((5, 1, 0), (40, 2, 1), (70, 9, 90)):
                    self.check_stateful(dtype, lengths, dict(horizon=200, decay=decay))

    def check_stateful(self, dtype, lengths, options):
        total = sum(lengths)
        q, k, v = (x[0] for x in inputs(1, total, total, 4, 16, 8, dtype, G=2))
        S, z, position = definition.random_state(
            k.new_empty(len(lengths), 1, 2, 16), v.new_empty(len(lengths), 1, 2, 8), 200, range(0, 60, 20)
        )
        cu = offsets(lengths).tolist()
        call = lambda rows, *x: ops.attention_stateful(*x, padding_mask=rows, **options)
        alone = [
            call(None, *(x[a:b][None] for x in (q, k, v)), *(x[i : i + 1] for x in (S, z, position)))
            for i, (a, b) in enumerate(itertools.pairwise(cu))
        ]
        state = lambda rows, *x: ops.attention_state(*x, padding_mask=rows, **options)
        stretch = [state(None, k[a:b][None], v[a:b][None], position[i : i + 1]) for i, (a, b) in enumerate(itertools.pairwise(cu))]
        for kind, padding in layouts(lengths, ROWS).items():
            wide = [spread(x, padding) for x in (q, k, v)]
            output, *after = call(padding, *wide, S, z, position)
            self.assertTrue(torch.equal(output[~padding], torch.cat([x[0][0] for x in alone])), f"{kind} {dtype} {lengths}")
            for a, *b in zip(after, *(x[1:] for x in alone)):
                self.assertTrue(torch.equal(a, torch.cat(b)), f"{kind} {dtype} {lengths}")
            for a, *b in zip(state(padding, *wide[1:], position), *stretch):
                self.assertTrue(torch.equal(a, torch.cat(b)), f"state {kind} {dtype} {lengths}")


class Packed(TestCase):
    def test_values(self):
        lengths = (17, 0, 60, 1)
        cu = offsets(lengths, torch.int32)
        for dtype, (options) in itertools.product(
            DTYPES,
            (
                dict(horizon=60, causal=True),
                dict(horizon=60),
                dict(horizon=None, causal=True, decay=torch.tensor([0.2, 0.0])),
                dict(horizon=60, causal=True, normalize=False),
            ),
        ):
            q, k, v = (x[0] for x in inputs(1, sum(lengths), sum(lengths), 4, 8, 6, dtype, G=2))
            d_output = torch.randn(sum(lengths), 4, 6).to(dtype)
            got = run(lambda *x: ops.attention_varlen(*x, cu, cu, max_seqlen_q=60, max_seqlen_k=70, **options), (q, k, v), d_output)
            exact = [x.double() for x in (q, k, v)]
            expected = run(lambda *x: definition.attention_varlen(*x, cu, cu, **options), exact, d_output.double())
            for a, b in itertools.pairwise(cu.tolist()):
                piece = lambda tensors: [x[a:b][None] for x in tensors]
                limits = bounds(*piece(exact), *piece([d_output.double()]), piece(expected), dtype, **options)
                for x, y, limit in zip(piece(got), piece(expected), limits):
                    self.assertLessEqual(excess(x, y, limit), 1e-30, f"{dtype} {options}")

    def test_strides(self):
        cu = offsets((9, 21))
        q, k, v = (x[0] for x in inputs(1, 30, 30, 2, 8, 6))
        expected = ops.attention_varlen(q, k, v, cu, cu, horizon=30, causal=True)
        for a, b in ((0, 1), (0, 2)):
            turned = [x.transpose(a, b).contiguous().transpose(a, b) for x in (q, k, v)]
            every_other = torch.stack([cu, cu], 1)[:, 0]
            self.assertTrue(
                torch.equal(ops.attention_varlen(*turned, every_other, cu, horizon=30, causal=True), expected)
            )

    def test_nothing(self):
        for cu in (torch.zeros(1, dtype=torch.int32), torch.zeros(4, dtype=torch.int64)):
            q, k, v = (x[0].requires_grad_() for x in inputs(1, 0, 0, 2, 4, 6))
            output = ops.attention_varlen(q, k, v, cu, cu, horizon=8, causal=True)
            self.assertEqual(output.shape, (0, 2, 6))
            output.sum().backward()
        # Queries without a key.
        q, k, v = (x[0] for x in inputs(1, 5, 3, 2, 4, 6))
        output = ops.attention_varlen(q, k, v, torch.tensor([0, 2, 5]), torch.tensor([0, 0, 3]), horizon=8)
        self.assertEqual(output[:2].count_nonzero().item(), 0)
        self.assertNotEqual(output[2:].count_nonzero().item(), 0)


class Rows(TestCase):
    def test_padding_may_exceed_the_horizon(self):
        q, k, v = inputs(1, 12, 12, 2, 4, 4)
        padding = mask("xxxx....xxxx")
        output = ops.attention(q, k, v, horizon=4, query_padding_mask=padding, key_padding_mask=padding)
        expected = ops.attention(*(x[:, 4:8] for x in (q, k, v)), horizon=4)
        self.assertTrue(torch.equal(output[:, 4:8], expected))

    def test_keys_masked_alone(self):
        """Without a mask query i stands at i; keys stand where their tokens do."""
        padding = mask("x.x...")
        for dtype in UNROUNDED:
            q, k, v = inputs(1, 6, 6, 2, 4, 4, dtype)
            expected = definition.attention(*(x.double() for x in (q, k, v)), horizon=6, key_padding_mask=padding)
            got = ops.attention(q, *poison(padding, k, v), horizon=6, key_padding_mask=padding)
            near(self, got, expected, dtype, 16, f"{dtype}")

    def test_causal_takes_equal_masks_in_any_memory(self):
        q, k, v = inputs(2, 6, 6, 2, 4, 4)
        padding = mask("x.....", "....xx")
        call = lambda a, b: ops.attention(q, k, v, horizon=6, causal=True, query_padding_mask=a, key_padding_mask=b)
        self.assertTrue(torch.equal(call(padding, padding), call(padding.clone(), padding.T.contiguous().T)))
        none = torch.zeros_like(padding)
        self.assertTrue(torch.equal(call(none, None), call(None, None)))


if __name__ == "__main__":
    unittest.main()
