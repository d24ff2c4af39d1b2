"""PyTorch's own checks of an operator, over all of them and those that autograd calls: opcheck, and gradcheck in float64."""
import itertools
import unittest

import torch

from definition import DEVICE, DTYPES, TestCase, inputs, mask, ops, random_state

PADDING = mask("..x.x....", "xxxxxx...")
OFFSETS = torch.tensor([0, 4, 4, 9])
DECAY = torch.tensor([0.3, 0.0])
DEFAULTS = dict(decay=None, feature_map="relu", normalize=True, eps=1e-6)


def opcheck(op, arguments, options):
    torch.library.opcheck(op.default, tuple(arguments), options)


class Opcheck(TestCase):
    def check(self, name, tensors, others, options, *, dtype):
        """The operator with and without gradients, and what its autograd calls. `tensors` are differentiable ones."""
        for grad in (False, True):
            leaves = [x.detach().requires_grad_(grad) for x in tensors]
            opcheck(getattr(ops, name), (*leaves, *others), options)

    def attention(self, dtype, Tq=9, Tk=9):
        return inputs(2, Tq, Tk, 4, 8, 6, dtype, G=2)

    def test_attention(self):
        causal = dict(horizon=12, causal=True)
        for dtype in DTYPES:
            for options in (
                causal,
                causal | dict(query_padding_mask=PADDING, key_padding_mask=PADDING, decay=DECAY),
                causal | dict(normalize=False),
                dict(horizon=None, key_padding_mask=PADDING),
            ):
                self.check("attention", self.attention(dtype), (), options, dtype=dtype)
            self.check("attention", self.attention(dtype, 5), (), dict(horizon=None), dtype=dtype)

    def test_attention_internals(self):
        masks = dict(query_padding_mask=PADDING, key_padding_mask=PADDING)
        for dtype, normalize, rows in itertools.product(DTYPES, (True, False), (masks, dict.fromkeys(masks))):
            tensors = self.attention(dtype)
            options = DEFAULTS | rows | dict(horizon=12, causal=True, normalize=normalize)
            opcheck(ops._attention_forward, tensors, options)
            output, denominator = ops._attention_forward(*tensors, **options)
            self.assertEqual(denominator.shape, (2, 9, 4) if normalize else (0,))
            for d_output in (torch.ones_like(output), None):
                results = dict(output=output, denominator=denominator, d_output=d_output)
                opcheck(ops._attention_backward, tensors, options | results)

    def test_varlen(self):
        for dtype in DTYPES:
            tensors = [x[0] for x in self.attention(dtype)]
            for options in (dict(causal=True, decay=DECAY), dict(normalize=False, max_seqlen_q=5)):
                offsets = (OFFSETS, OFFSETS.int())
                self.check("attention_varlen", tensors, offsets, dict(horizon=12) | options, dtype=dtype)
                options = DEFAULTS | dict(horizon=12, causal=False, max_seqlen_q=None, max_seqlen_k=None) | options
                opcheck(ops._attention_varlen_forward, (*tensors, *offsets), options)
                output, denominator = ops._attention_varlen_forward(*tensors, *offsets, **options)
                results = dict(output=output, denominator=denominator, d_output=torch.ones_like(output))
                opcheck(ops._attention_varlen_backward, (*tensors, *offsets), options | results)

    def test_stateful(self):
        for dtype, horizon in itertools.product(DTYPES, (None, 100)):
            q, k, v = self.attention(dtype)
            *state, position = random_state(k, v, horizon, [0, 9])
            tensors = (q, k, v, *state)
            for options in ({}, dict(padding_mask=PADDING, decay=DECAY, normalize=False)):
                self.check("attention_stateful", tensors, (position,), dict(horizon=horizon) | options, dtype=dtype)
                options = DEFAULTS | dict(horizon=horizon, padding_mask=None) | options
                arguments = (*tensors, position)
                opcheck(ops._attention_stateful_forward, arguments, options)
                output, denominator, S, z, _ = ops._attention_stateful_forward(*arguments, **options)
                for gradients, wanted in (((output, S, z), True), ((None, S, None), False), ((None, None, z), True)):
                    names = zip(("d_output", "dS_out", "dz_out"), gradients)
                    results = dict(output=output, denominator=denominator, state_gradients=wanted, **dict(names))
                    opcheck(ops._attention_stateful_backward, arguments, options | results)

    def test_step(self):
        for dtype, horizon in itertools.product(DTYPES, (None, 100)):
            q, k, v = inputs(2, 1, 1, 4, 8, 6, dtype, G=2)
            state = random_state(k, v, horizon, [0, 9])
            for options in ({}, dict(decay=DECAY, normalize=False)):
                opcheck(ops.attention_step_, (q, k, v, *state), dict(horizon=horizon) | options)

    def test_state(self):
        for dtype, horizon in itertools.product(DTYPES, (None, 100)):
            _, k, v = self.attention(dtype)
            others = (torch.tensor([0, 5]),)
            for options in ({}, dict(padding_mask=PADDING, decay=DECAY)):
                self.check("attention_state", (k, v), others, dict(horizon=horizon) | options, dtype=dtype)
                options = dict(horizon=horizon, padding_mask=None, decay=None, feature_map="relu") | options
                opcheck(ops._attention_state_forward, (k, v, *others), options)
                S, z = ops._attention_state_forward(k, v, *others, **options)
                for dS, dz in ((S, z), (None, z)):
                    opcheck(ops._attention_state_backward, (k, v, *others), options | dict(dS_out=dS, dz_out=dz))

    def test_read(self):
        for dtype, normalize in itertools.product(DTYPES, (True, False)):
            q, k, v = self.attention(dtype)
            S, z, position = random_state(k, v, 100, [0, 9])
            options = dict(horizon=100, normalize=normalize)
            self.check("attention_read", (q, S, z), (position,), options, dtype=dtype)
            options |= dict(feature_map="relu", eps=1e-6)
            arguments = (q, S, z, position)
            opcheck(ops._attention_read_forward, arguments, options)
            output, denominator = ops._attention_read_forward(*arguments, **options)
            for wanted in (True, False):
                results = dict(output=output, denominator=denominator, d_output=output, state_gradients=wanted)
                opcheck(ops._attention_read_backward, arguments, options | results)


@unittest.skipIf(DEVICE != "cpu", "float64 is computed on a CPU only")
class Gradcheck(TestCase):
    def check(self, call, tensors, **about):
        leaves = [x.detach().requires_grad_() for x in tensors]
        with self.subTest(**about):
            torch.autograd.gradcheck(call, leaves)

    def test_attention(self):
        causal, dense = dict(causal=True), dict(causal=False)
        masks = dict(query_padding_mask=mask("x..x..", "...xxx"), key_padding_mask=mask("x..x..", "...xxx"))
        for sizes, G, options in (
            ((2, 6, 6, 2, 3, 4), 2, causal | dict(horizon=6)),
            ((2, 6, 6, 2, 3, 4), 2, dense | dict(horizon=9)),
            ((1, 5, 7, 2, 3, 2), 2, dict(horizon=7)),
            ((1, 5, 7, 4, 3, 2), 2, dict(horizon=None)),
            ((2, 6, 6, 1, 3, 4), 1, causal | dict(horizon=None)),
            ((2, 6, 6, 1, 3, 4), 1, causal | dict(horizon=6, feature_map="identity")),
            ((1, 6, 4, 2, 3, 4), 2, dict(horizon=None, feature_map="identity", eps=8.0)),
            ((2, 6, 6, 4, 3, 4), 2, causal | masks | dict(horizon=4)),
            ((2, 6, 6, 2, 3, 4), 1, dict(horizon=6, key_padding_mask=mask("xx...x", "xxxxxx"))),
            ((2, 6, 6, 2, 3, 4), 2, dict(horizon=6, query_padding_mask=mask("xx...x", "xxxxxx"))),
            ((2, 6, 6, 4, 3, 4), 2, causal | dict(horizon=6, decay=DECAY)),
            ((2, 6, 6, 2, 3, 4), 2, causal | masks | dict(horizon=None, decay=DECAY, normalize=False)),
            ((1, 6, 5, 2, 3, 4), 1, dict(horizon=6, normalize=False)),
        ):
            feature_map = options.get("feature_map", "relu")
            tensors = inputs(*sizes, torch.float64, 3, feature_map, G)
            self.check(lambda *x: ops.attention(*x, **options), tensors, sizes=sizes, **options)

    def test_varlen(self):
        for options in (
            dict(horizon=5, causal=True),
            dict(horizon=None),
            dict(horizon=5, causal=True, decay=DECAY, normalize=False),
        ):
            tensors = [x[0] for x in inputs(1, 9, 9, 4, 3, 4, torch.float64, 3, G=2)]
            self.check(lambda *x: ops.attention_varlen(*x, OFFSETS, OFFSETS, **options), tensors, **options)

    def test_stateful(self):
        for options, T in (
            (dict(horizon=None), 5),
            (dict(horizon=20), 5),
            (dict(horizon=20, feature_map="identity"), 3),
            (dict(horizon=20), 1),
            (dict(horizon=20, padding_mask=mask("x..x.", "..xxx")), 5),
            (dict(horizon=20, decay=DECAY), 5),
            (dict(horizon=None, decay=DECAY, padding_mask=mask("x..x.", "xxxxx"), normalize=False), 5),
        ):
            q, k, v = inputs(2, T, T, 4, 3, 4, torch.float64, 3, options.get("feature_map", "relu"), 2)
            *state, position = random_state(k, v, options["horizon"], [0, 9])
            call = lambda *x: ops.attention_stateful(*x, position, **options)[:3]
            self.check(call, (q, k, v, *state), T=T, **options)
            for i in range(3):  # one result alone: the others' gradients are absent
                self.check(lambda *x: call(*x)[i], (q, k, v, *state), T=T, alone=i, **options)

    def test_through_two_calls(self):
        """A cut in the middle: gradients of the first stretch arrive through the state."""
        q, k, v = inputs(2, 6, 6, 4, 3, 4, torch.float64, 3, G=2)
        *state, position = random_state(k, v, 20, [0, 9])

        def call(q, k, v, S, z):
            first = ops.attention_stateful(q[:, :3], k[:, :3], v[:, :3], S, z, position, horizon=20, decay=DECAY)
            second = ops.attention_stateful(q[:, 3:], k[:, 3:], v[:, 3:], *first[1:], horizon=20, decay=DECAY)
            return second[:3]

        self.check(call, (q, k, v, *state))

    def test_state_and_read(self):
        for options in (dict(horizon=None), dict(horizon=20, decay=DECAY, padding_mask=mask("x..x.", "xxxxx"))):
            _, k, v = inputs(2, 5, 5, 2, 3, 4, torch.float64, 3)
            position = torch.tensor([0, 9])
            call = lambda *x: ops.attention_state(*x, position, **options)
            self.check(call, (k, v), **options)
            for i in range(2):
                self.check(lambda *x: call(*x)[i], (k, v), alone=i, **options)
        for options in (dict(horizon=None), dict(horizon=20), dict(horizon=20, normalize=False)):
            q, k, v = inputs(2, 5, 5, 4, 3, 4, torch.float64, 3, G=2)
            *state, position = random_state(k, v, options["horizon"], [0, 9])
            self.check(lambda *x: ops.attention_read(*x, position, **options), (q, *state), **options)


if __name__ == "__main__":
    unittest.main()
