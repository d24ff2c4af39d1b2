"""What the operators refuse: one line each, and nothing written."""
import unittest

import torch

from definition import empty_state, inputs, ops

TYPES = {"value": ValueError, "type": TypeError, "other": RuntimeError}


class Errors(unittest.TestCase):
    def refuses(self, kind, line, call):
        with self.assertRaises(TYPES[kind]) as caught:
            call()
        self.assertEqual(str(caught.exception).splitlines(), [line])

    def setUp(self):
        self.q, self.k, self.v = inputs(2, 6, 6, 3, 4, 5)
        self.state = empty_state(self.q, self.v, 8)

    def attention(self, q=None, k=None, v=None, *, horizon=8, **options):
        q, k, v = (a if b is None else b for a, b in ((self.q, q), (self.k, k), (self.v, v)))
        return lambda: ops.attention(q, k, v, horizon=horizon, **options)

    def stateful(self, **changed):
        arguments = dict(zip(("query", "key", "value", "S", "z", "position"), (self.q, self.k, self.v, *self.state)))
        arguments |= dict(horizon=8) | changed
        return lambda: ops.attention_stateful(**arguments)

    def step(self, **changed):
        token = (x[:, :1] for x in (self.q, self.k, self.v))
        arguments = dict(zip(("query", "key", "value", "S", "z", "position"), (*token, *self.state)))
        arguments |= dict(horizon=8) | changed
        return lambda: ops.attention_step_(**arguments)

    def test_ranks_and_sizes(self):
        q, k, v = self.q, self.k, self.v
        for call, line in (
            (self.attention(q[0]), "query must be [B, Tq, H, K], got [6, 3, 4]"),
            (self.attention(k=k[0]), "key must be [2, Tk, G, 4] as query is [2, 6, 3, 4], got [6, 3, 4]"),
            (self.attention(k=k[:1]), "key must be [2, Tk, G, 4] as query is [2, 6, 3, 4], got [1, 6, 3, 4]"),
            (self.attention(k=k[..., :3]), "key must be [2, Tk, G, 4] as query is [2, 6, 3, 4], got [2, 6, 3, 3]"),
            (self.attention(v=v[:, :5]), "value must be [2, 6, 3, V] as key is [2, 6, 3, 4], got [2, 5, 3, 5]"),
            (self.attention(v=v[:, :, :2]), "value must be [2, 6, 3, V] as key is [2, 6, 3, 4], got [2, 6, 2, 5]"),
            (self.attention(q[:, :5], causal=True), "causal needs as many queries as keys, got Tq = 5, Tk = 6"),
            (self.attention(horizon=5), "positions must stay below horizon = 5, got a length of 6"),
            (self.attention(q[:, :5], horizon=5), "positions must stay below horizon = 5, got a length of 6"),
        ):
            self.refuses("value", "attention: " + line, call)

    def test_dtypes_devices_layouts(self):
        q, k, v = self.q, self.k, self.v
        self.refuses("type", "attention: key must be Float, got Double", self.attention(k=k.double()))
        self.refuses("type", "attention: value must be Float, got Half", self.attention(v=v.half()))
        self.refuses("value", "attention: key must be on cpu as query is, got meta", self.attention(k=k.to("meta")))
        self.refuses("value", "attention: key must be on meta as query is, got cpu", self.attention(q.to("meta")))
        self.refuses(
            "value", "attention: value must be a strided tensor, got layout Sparse", self.attention(v=v.to_sparse())
        )

    def test_options(self):
        self.refuses("value", "attention: horizon must be >= 1 or None, got 0", self.attention(horizon=0))
        self.refuses("value", "attention: horizon must be >= 1 or None, got -3", self.attention(horizon=-3))
        for eps in ("0", "-1", "inf", "nan", "1e-60"):
            self.refuses(
                "value",
                f"attention: eps must be finite and > 0 in float32, got {eps}",
                self.attention(eps=float(eps)),
            )
        self.refuses(
            "value",
            'attention: feature_map must be "relu" or "identity", got "elu"',
            self.attention(feature_map="elu"),
        )

    def test_what_is_not_there_yet(self):
        mask = torch.zeros(2, 6, dtype=torch.bool)
        masks = "padding masks are not supported yet, expected None, got a mask"
        decay = "decay is not supported yet, expected None, got a tensor"
        normalize = "normalize = False is not supported yet, expected True"
        for grad in (False, True):
            self.q.requires_grad_(grad)
            for name in ("query_padding_mask", "key_padding_mask"):
                self.refuses("other", f"attention: {masks}", self.attention(**{name: mask}))
            self.refuses("other", f"attention: {decay}", self.attention(decay=torch.zeros(3), causal=True))
            self.refuses("other", f"attention: {normalize}", self.attention(normalize=False))
            self.refuses("other", f"attention_stateful: {masks}", self.stateful(padding_mask=mask))
            self.refuses("other", f"attention_stateful: {decay}", self.stateful(decay=torch.zeros(3)))
            self.refuses("other", f"attention_stateful: {normalize}", self.stateful(normalize=False))
        self.q.requires_grad_(False)
        self.refuses("other", f"attention_step_: {decay}", self.step(decay=torch.zeros(3)))
        self.refuses("other", f"attention_step_: {normalize}", self.step(normalize=False))
        self.refuses(
            "value",
            "attention: grouped heads (G unlike H) are not supported yet, expected key with 3 heads as query has, got 1",
            self.attention(k=self.k[:, :, :1], v=self.v[:, :, :1]),
        )
        for dtype, name in ((torch.bfloat16, "BFloat16"), (torch.float16, "Half"), (torch.int64, "Long")):
            self.refuses(
                "type",
                f"attention: query must be Float or Double (others are not supported yet), got {name}",
                self.attention(*(x.to(dtype) for x in (self.q, self.k, self.v))),
            )

    def test_states(self):
        S, z, position = self.state
        q = "as query is [2, 6, 3, 4]"
        for kind, changed, line in (
            ("value", dict(S=S[:, :, :1]), f"S must be [2, 3, 2, 4, 5] {q}, got [2, 3, 1, 4, 5]"),
            ("value", dict(S=S, horizon=None), f"S must be [2, 3, 1, 4, 5] {q}, got [2, 3, 2, 4, 5]"),
            ("value", dict(z=z[..., :3]), f"z must be [2, 3, 2, 4] {q}, got [2, 3, 2, 3]"),
            ("value", dict(position=position[:1]), f"position must be [2] {q}, got [1]"),
            ("type", dict(position=position.int()), "position must be Long, got Int"),
            ("type", dict(S=S.double()), "S must be Float, got Double"),
            ("value", dict(z=z.to("meta")), "z must be on cpu as query is, got meta"),
        ):
            self.refuses(kind, f"attention_stateful: {line}", self.stateful(**changed))
            if kind == "type":
                self.refuses(kind, f"attention_step_: {line}", self.step(**changed))

    def test_positions(self):
        beyond = "attention: position must stay below horizon = 8, got position 8 in row 1"
        negative = "attention: position must be >= 0, got -1 in row 0"
        for grad in (False, True):
            self.v.requires_grad_(grad)
            self.refuses("value", beyond, self.stateful(position=torch.tensor([0, 3])))
            self.refuses("value", negative, self.stateful(position=torch.tensor([-1, 0])))
        self.v.requires_grad_(False)
        S, z, _ = self.state
        for line, position in ((beyond, [7, 8]), (negative, [-1, 0])):
            position = torch.tensor(position)
            kept = position.clone()
            self.refuses("value", line, self.step(position=position))
            self.assertTrue(torch.equal(position, kept))
            self.assertEqual((S.count_nonzero() + z.count_nonzero()).item(), 0)
        self.step(position=torch.tensor([7, 0]))()
        # Meta tensors have no values to read.
        meta = [x.to("meta") for x in (self.q, self.k, self.v, S, z, torch.tensor([0, 99]))]
        self.assertEqual(ops.attention_stateful(*meta, horizon=8)[0].shape, (2, 6, 3, 5))

    def test_step(self):
        self.refuses(
            "value",
            "attention_step_: query must hold one token a sequence, got Tq = 2",
            self.step(query=self.q[:, :2], key=self.k[:, :2], value=self.v[:, :2]),
        )
        S, z, position = self.state
        turned = S.transpose(-1, -2).contiguous().transpose(-1, -2)
        self.refuses(
            "value",
            "attention_step_: S must be contiguous, since it is advanced in place, "
            "got sizes [2, 3, 2, 4, 5], strides [120, 40, 20, 1, 4]",
            self.step(S=turned),
        )
        for name in ("query", "key", "value", "S", "z"):
            tensors = dict(query=self.q[:, :1], key=self.k[:, :1], value=self.v[:, :1], S=S, z=z)
            self.refuses(
                "other",
                "attention_step_: tensors must not require grad, since S and z are advanced in place; "
                "use attention_stateful or no_grad",
                self.step(**{name: tensors[name].clone().requires_grad_()}),
            )

    def test_second_derivatives(self):
        q, k, v = (x.requires_grad_() for x in (self.q, self.k, self.v))
        for name, output in (
            ("_attention_backward", self.attention()()),
            ("_attention_stateful_backward", self.stateful()()[0]),
        ):
            (gradient,) = torch.autograd.grad(output.square().sum(), q, create_graph=True)
            self.refuses(
                "other", f"derivative for cosformer::{name} is not implemented", lambda: gradient.sum().backward()
            )

    def test_forward_mode(self):
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(self.q, torch.ones_like(self.q))
            with self.assertRaisesRegex(RuntimeError, "jvp is not implemented"):
                ops.attention(dual, self.k, self.v, horizon=8)


if __name__ == "__main__":
    unittest.main()
