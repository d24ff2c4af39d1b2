"""What the operators refuse: one line each, with and without gradients, and nothing written."""
import os
import unittest

os.environ["COSFORMER_CHECK"] = "1"  # else a GPU looks at no values

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from definition import DEVICE, TestCase, empty_state, inputs, mask, ops

HERE = "cpu" if DEVICE == "cpu" else "cuda:0"
DTYPES = "Float, BFloat16 or Double" if DEVICE == "cpu" else "Float, BFloat16 or Half"
NOT_HERE, ITS_NAME = (torch.float16, "Half") if DEVICE == "cpu" else (torch.float64, "Double")
# A fake tensor on a GPU asks PyTorch for that GPU where there is any.
PLACES = ("cpu", "cuda:1") if torch.cuda.device_count() != 1 else ("cpu",)
TYPES = {"value": ValueError, "type": TypeError, "other": RuntimeError}
SHAPE = "[2, 6, 4, 4]"
NAMES = ("attention", "attention_varlen", "attention_stateful", "attention_step_", "attention_state", "attention_read")


class Errors(TestCase):
    def setUp(self):
        self.q, self.k, self.v = inputs(2, 6, 6, 4, 4, 5, G=2)
        self.S, self.z, self.position = empty_state(self.k, self.v, 8)

    def arguments(self, name):
        q, k, v = self.q, self.k, self.v
        tokens = dict(query=q, key=k, value=v)
        state = dict(S=self.S, z=self.z, position=self.position)
        offsets = torch.tensor([0, 2, 6])
        return {
            "attention": tokens,
            "attention_varlen": {n: x[0] for n, x in tokens.items()} | dict(cu_seqlens_q=offsets, cu_seqlens_k=offsets),
            "attention_stateful": tokens | state,
            "attention_step_": {n: x[:, :1] for n, x in tokens.items()} | state,
            "attention_state": dict(key=k, value=v, position=self.position),
            "attention_read": dict(query=q) | state,
        }[name]

    def refuses(self, name, kind, line, **changed):
        """The line, without its "<name>: " unless it is the kernel library's own "attention: "."""
        arguments = self.arguments(name) | dict(horizon=8) | changed
        for grad in (False, True):
            if grad and name == "attention_step_":
                continue
            floating = next(n for n in ("value", "S") if n in arguments)
            arguments[floating] = arguments[floating].detach()
            if arguments[floating].is_floating_point():
                arguments[floating].requires_grad_(grad)
            before = {n: x.clone() for n, x in arguments.items() if isinstance(x, torch.Tensor) and x.device.type != "meta"}
            with self.assertRaises(TYPES[kind], msg=line) as caught:
                getattr(ops, name)(**arguments)
            expected = line if line.startswith(("attention: ", "derivative")) else f"{name}: {line}"
            self.assertEqual(str(caught.exception).splitlines(), [expected])
            for n, x in before.items():
                if x.layout == torch.strided:
                    torch.testing.assert_close(arguments[n], x, rtol=0, atol=0, equal_nan=True, msg=n)


class Shapes(Errors):
    def test_tokens(self):
        q, k, v = self.q, self.k, self.v
        key = f"key must be [2, Tk, G, 4] as query is {SHAPE}, got"
        value = "value must be [2, 6, 2, V] as key is [2, 6, 2, 4], got"
        for name in ("attention", "attention_stateful"):
            self.refuses(name, "value", "query must be [B, Tq, H, K], got [6, 4, 4]", query=q[0])
            self.refuses(name, "value", f"{key} [6, 2, 4]", key=k[0])
            self.refuses(name, "value", f"{key} [1, 6, 2, 4]", key=k[:1])
            self.refuses(name, "value", f"{key} [2, 6, 2, 3]", key=k[..., :3])
            self.refuses(name, "value", f"{value} [2, 5, 2, 5]", value=v[:, :5])
            self.refuses(name, "value", f"{value} [2, 6, 1, 5]", value=v[:, :, :1])
        line = "causal needs as many queries as keys, got Tq = 5, Tk = 6"
        self.refuses("attention", "value", line, query=q[:, :5], causal=True)
        self.refuses("attention_stateful", "value", line, query=q[:, :5])
        line = "query must have a multiple of key's 2 heads, got 3"
        self.refuses("attention", "value", line, query=q[:, :, :3])
        self.refuses("attention_varlen", "value", line, query=q[0, :, :3])
        none = dict(key=k[:, :, :0], value=v[:, :, :0])
        self.refuses("attention", "value", "query must have a multiple of key's 0 heads, got 4", **none)
        self.refuses("attention_read", "value", "query must have a multiple of S's 2 heads, got 3", query=q[:, :, :3])
        self.refuses("attention_state", "value", "key must be [B, Tk, G, K], got [6, 2, 4]", key=k[0])
        self.refuses("attention_state", "value", f"{value} [2, 5, 2, 5]", value=v[:, :5])

    def test_packed_tokens(self):
        q, k, v = self.q, self.k, self.v
        line = "query must be [total_q, H, K], got"
        self.refuses("attention_varlen", "value", f"{line} {SHAPE}", query=q)
        line = "key must be [total_k, G, 4] as query is [6, 4, 4], got"
        self.refuses("attention_varlen", "value", f"{line} [6, 2, 3]", key=k[0, ..., :3])
        line = "value must be [6, 2, V] as key is [6, 2, 4], got"
        self.refuses("attention_varlen", "value", f"{line} [5, 2, 5]", value=v[0, :5])
        two = torch.zeros(1, 3, dtype=torch.int32)
        self.refuses("attention_varlen", "value", "cu_seqlens_q must be [n + 1], got [1, 3]", cu_seqlens_q=two)
        line = "cu_seqlens_k must be [3] as cu_seqlens_q is [3], got [4]"
        self.refuses("attention_varlen", "value", line, cu_seqlens_k=torch.tensor([0, 2, 4, 6]))
        none = dict.fromkeys(("cu_seqlens_q", "cu_seqlens_k"), torch.tensor([], dtype=torch.int64))
        self.refuses("attention_varlen", "value", "cu_seqlens_q must begin with 0, got no element", **none)

    def test_masks(self):
        wrong = mask("......")
        for name in ("query_padding_mask", "key_padding_mask"):
            of = ("query is [2, 6, 4, 4]" if name[0] == "q" else "key is [2, 6, 2, 4]") + ", got"
            self.refuses("attention", "value", f"{name} must be [2, 6] as {of} [1, 6]", **{name: wrong})
            self.refuses("attention", "type", f"{name} must be Bool, got Int", **{name: wrong.int().expand(2, 6)})
        line = "padding_mask must be [2, 6] as key is [2, 6, 2, 4], got [1, 6]"
        for name in ("attention_stateful", "attention_state"):
            self.refuses(name, "value", line, padding_mask=wrong)
            self.refuses(name, "type", "padding_mask must be Bool, got Byte", padding_mask=wrong.byte().expand(2, 6))

    def test_states(self):
        S, z, position = self.S, self.z, self.position
        q = f"as query is {SHAPE}, got"
        for name in ("attention_stateful", "attention_step_"):
            q = f"as query is {list(self.arguments(name)['query'].shape)}, got"
            self.refuses(name, "value", f"S must be [2, 2, 2, 4, 5] {q} [2, 2, 1, 4, 5]", S=S[:, :, :1])
            self.refuses(name, "value", f"S must be [2, 2, 1, 4, 5] {q} [2, 2, 2, 4, 5]", S=S, horizon=None)
            self.refuses(name, "value", f"z must be [2, 2, 2, 4] {q} [2, 2, 2, 3]", z=z[..., :3])
            self.refuses(name, "value", f"position must be [2] {q} [1]", position=position[:1])
        q = f"as query is {SHAPE}, got"
        self.refuses("attention_read", "value", f"S must be [2, G, 2, 4, V] {q} [2, 2, 1, 4, 5]", S=S[:, :, :1])
        self.refuses("attention_read", "value", f"z must be [2, 2, 2, 4] {q} [2, 1, 2, 4]", z=z[:, :1])
        line = "position must be [2] as key is [2, 6, 2, 4], got [1]"
        self.refuses("attention_state", "value", line, position=position[:1])

    def test_decay(self):
        line = "decay must be [2] as key is [2, 6, 2, 4], got [4]"
        self.refuses("attention", "value", line, decay=torch.zeros(4), causal=True)
        self.refuses("attention_stateful", "value", line, decay=torch.zeros(4))
        self.refuses("attention_state", "value", line, decay=torch.zeros(4))
        self.refuses("attention", "value", "decay needs causal = True, got causal = False", decay=torch.zeros(2))
        line = "decay must be Float, got Double"
        self.refuses("attention_stateful", "type", line, decay=torch.zeros(2, dtype=torch.float64))
        line = "decay has no gradient, expected a tensor that does not require grad; detach it"
        for name, options in (("attention", dict(causal=True)), ("attention_state", {}), ("attention_step_", {})):
            self.refuses(name, "other", line, decay=torch.zeros(2, requires_grad=True), **options)


class Types(Errors):
    def test_dtypes(self):
        q, k, v = self.q, self.k, self.v
        on = "" if DEVICE == "cpu" else " on CUDA"
        for dtype, name in ((NOT_HERE, ITS_NAME), (torch.int64, "Long"), (torch.complex64, "ComplexFloat")):
            line = f"must be {DTYPES}, got {name}{on}"
            self.refuses("attention", "type", f"query {line}", query=q.to(dtype))
            self.refuses("attention_state", "type", f"key {line}", key=k.to(dtype))
        self.refuses("attention", "type", "key must be Float, got Double", key=k.double())
        self.refuses("attention", "type", "value must be Float, got Half", value=v.half())
        self.refuses("attention", "type", "key must be BFloat16, got Float", query=q.bfloat16())
        self.refuses("attention_state", "type", "value must be Float, got BFloat16", value=v.bfloat16())
        half = {n: x.bfloat16() for n, x in dict(query=q, key=k, value=v).items()}
        line = "S must be Float, got BFloat16"
        self.refuses("attention_stateful", "type", line, **half, S=self.S.bfloat16())
        self.refuses("attention_stateful", "type", "S must be Float, got Double", S=self.S.double())
        self.refuses("attention_read", "type", "z must be Float, got Double", z=self.z.double())
        if DEVICE == "cpu":
            double = {n: x.double() for n, x in dict(query=q, key=k, value=v).items()}
            self.refuses("attention_stateful", "type", "S must be Double, got Float", **double)
        for name in ("attention_stateful", "attention_step_", "attention_state", "attention_read"):
            self.refuses(name, "type", "position must be Long, got Int", position=self.position.int())
        line = "cu_seqlens_k must be Int or Long, got Short"
        self.refuses("attention_varlen", "type", line, cu_seqlens_k=torch.tensor([0, 2, 6], dtype=torch.int16))

    def test_devices_and_layouts(self):
        q, k, v = self.q, self.k, self.v
        self.refuses("attention", "value", f"key must be on {HERE} as query is, got meta", key=k.to("meta"))
        self.refuses("attention", "value", f"key must be on meta as query is, got {HERE}", query=q.to("meta"))
        self.refuses("attention_stateful", "value", f"z must be on {HERE} as query is, got meta", z=self.z.to("meta"))
        line = f"value must be on {HERE} as key is, got meta"
        self.refuses("attention_state", "value", line, value=v.to("meta"))
        offsets = torch.tensor([0, 2, 6], device="meta")
        line = f"cu_seqlens_q must be on {HERE} as query is, got meta"
        self.refuses("attention_varlen", "value", line, cu_seqlens_q=offsets)
        line = "value must be a strided tensor, got layout Sparse"
        self.refuses("attention", "value", line, value=v.to_sparse())

    def test_tensors_on_several_devices(self):
        """Fake tensors stand for those of GPUs that this machine may lack."""
        real = {name: self.arguments(name) for name in NAMES}
        with FakeTensorMode() as mode:
            for name in NAMES:
                arguments = {n: mode.from_tensor(x).to("cuda:0") for n, x in real[name].items()}
                first = next(iter(arguments))
                for other in arguments:
                    if other == first:
                        continue
                    for place in PLACES:
                        if name == "attention_step_":  # PyTorch refuses it before the operator can
                            with self.assertRaisesRegex(RuntimeError, f"two devices, cuda:0 and {place}"):
                                ops.attention_step_(**arguments | {other: arguments[other].to(place)}, horizon=8)
                            continue
                        with self.assertRaises(ValueError) as caught:
                            getattr(ops, name)(**arguments | {other: arguments[other].to(place)}, horizon=8)
                        line = f"{name}: {other} must be on cuda:0 as {first} is, got {place}"
                        self.assertEqual(str(caught.exception).splitlines(), [line])

    def test_a_trace_takes_the_types_of_every_device(self):
        with FakeTensorMode() as mode:
            for dtype in (torch.float32, torch.bfloat16, torch.float16):
                tokens = [mode.from_tensor(x).to("cuda:0", dtype) for x in (self.q, self.k, self.v)]
                output = ops.attention(*tokens, horizon=8)
                self.assertEqual((output.dtype, str(output.device)), (dtype, "cuda:0"))
        meta = [x.to("meta").int() for x in (self.q, self.k, self.v)]
        with self.assertRaises(TypeError) as caught:
            ops.attention(*meta, horizon=8)
        line = "attention: query must be Float, BFloat16, Half or Double, got Int"
        self.assertEqual(str(caught.exception).splitlines(), [line])

    def test_options(self):
        for name in NAMES:
            line = "horizon must be >= 1 or None, got"
            self.refuses(name, "value", f"{line} 0", horizon=0)
            self.refuses(name, "value", f"{line} -3", horizon=-3)
            line = 'feature_map must be "relu" or "identity", got "elu"'
            self.refuses(name, "value", line, feature_map="elu")
            for eps in ("0", "-1", "inf", "nan", "1e-60"):
                if name != "attention_state":
                    line = f"eps must be finite and > 0 in float32, got {eps}"
                    self.refuses(name, "value", line, eps=float(eps))


class Values(Errors):
    def test_lengths(self):
        line = "positions must stay below horizon = 5, got a length of 6"
        self.refuses("attention", "value", line, horizon=5)
        self.refuses("attention", "value", line, horizon=5, query=self.q[:, :5])
        self.refuses("attention_state", "value", line, horizon=5)
        padding = dict(query_padding_mask=mask("x.....", "......"), key_padding_mask=mask("x.....", "x....."))
        line = "attention: position must stay below horizon = 5, got position 5 in row 1"
        self.refuses("attention", "value", line, horizon=5, **padding)
        offsets = torch.tensor([0, 0, 6])
        self.refuses("attention_varlen", "value", line, horizon=5, cu_seqlens_q=offsets, cu_seqlens_k=offsets)

    def test_positions(self):
        beyond = "attention: position must stay below horizon = 8, got position 8 in row 1"
        negative = "attention: position must be >= 0, got -1 in row 0"
        for name, last in (("attention_stateful", 3), ("attention_step_", 8), ("attention_state", 3), ("attention_read", 3)):
            self.refuses(name, "value", beyond, position=torch.tensor([0, last]))
            self.refuses(name, "value", negative, position=torch.tensor([-1, 0]))
            getattr(ops, name)(**self.arguments(name) | dict(position=torch.tensor([0, last - 1])), horizon=8)
        line = "attention: position must leave room for every row of the batch, got 9223372036854775802 in row 1"
        far = dict(position=torch.tensor([0, 2**63 - 6]), padding_mask=mask("......", "xxxxxx"))
        for name in ("attention_stateful", "attention_state"):
            self.refuses(name, "value", line, **far)
        # Meta tensors have no values to read.
        meta = {n: x.to("meta") for n, x in self.arguments("attention_stateful").items()}
        meta["position"] = torch.tensor([0, 99]).to("meta")
        self.assertEqual(ops.attention_stateful(**meta, horizon=8)[0].shape, (2, 6, 4, 5))

    def test_masks_of_causal_attention(self):
        line = "attention: causal needs equal padding of queries and keys, got a difference in row 1, time 2"
        a, b = mask("x.....", "......"), mask("x.....", "..x...")
        self.refuses("attention", "value", line, causal=True, query_padding_mask=a, key_padding_mask=b)
        a[0] = False
        self.refuses("attention", "value", line, causal=True, key_padding_mask=a | b & ~mask("x.....", "x....."))

    def test_decay(self):
        for bad, shown in ((-1.0, "-1.000000"), (float("nan"), "nan"), (float("inf"), "inf")):
            line = f"attention: decay must be finite and >= 0, got {shown} in group 1"
            decay = torch.tensor([0.0, bad])
            self.refuses("attention", "value", line, decay=decay, causal=True)
            self.refuses("attention_varlen", "value", line, decay=decay, causal=True)
            for name in ("attention_stateful", "attention_step_", "attention_state"):
                self.refuses(name, "value", line, decay=decay)

    def test_cu_seqlens(self):
        for offsets, line in (
            ([1, 2, 6], "cu_seqlens_q must begin with 0, got 1"),
            ([0, 7, 6], "cu_seqlens_q must not decrease, got 7, 6 at 1"),
            ([0, 2, 5], "cu_seqlens_q must end with the number of rows, 6, got 5"),
            ([0, 2, 7], "cu_seqlens_q must end with the number of rows, 6, got 7"),
        ):
            self.refuses("attention_varlen", "value", f"attention: {line}", cu_seqlens_q=torch.tensor(offsets))
        line = "attention: causal needs equal cu_seqlens, got 3 and 2 at 1"
        self.refuses("attention_varlen", "value", line, cu_seqlens_q=torch.tensor([0, 3, 6]), causal=True)
        for name in ("max_seqlen_q", "max_seqlen_k"):
            self.refuses("attention_varlen", "value", f"{name} must be >= 0 or None, got -1", **{name: -1})
            line = f"{name} must be at least the longest sequence's length, got 3 and sequence 1 of 4"
            self.refuses("attention_varlen", "value", line, **{name: 3})


class Step(Errors):
    def test_one_token_in_contiguous_memory(self):
        two = dict(query=self.q[:, :2], key=self.k[:, :2], value=self.v[:, :2])
        self.refuses("attention_step_", "value", "query must hold one token a sequence, got Tq = 2", **two)
        S = self.S.transpose(-1, -2).contiguous().transpose(-1, -2)
        line = "must be contiguous, since it is advanced in place, got sizes"
        self.refuses("attention_step_", "value", f"S {line} [2, 2, 2, 4, 5], strides [80, 40, 20, 1, 4]", S=S)
        z = self.z.transpose(0, 1).contiguous().transpose(0, 1)
        self.refuses("attention_step_", "value", f"z {line} [2, 2, 2, 4], strides [8, 16, 4, 1]", z=z)
        position = torch.zeros(4, dtype=torch.int64)[::2]
        self.refuses("attention_step_", "value", f"position {line} [2], strides [2]", position=position)

    def test_gradients(self):
        line = (
            "tensors must not require grad, since S and z are advanced in place; use attention_stateful or no_grad"
        )
        for name in ("query", "key", "value", "S", "z"):
            tensor = self.arguments("attention_step_")[name].clone().requires_grad_()
            arguments = self.arguments("attention_step_") | {name: tensor}
            with self.assertRaises(RuntimeError) as caught:
                ops.attention_step_(**arguments, horizon=8)
            self.assertEqual(str(caught.exception).splitlines(), [f"attention_step_: {line}"])
        self.assertEqual((self.S.count_nonzero() + self.z.count_nonzero() + self.position.sum()).item(), 0)


class Derivatives(Errors):
    def test_second(self):
        for name in ("attention", "attention_varlen", "attention_stateful", "attention_state", "attention_read"):
            arguments = self.arguments(name)
            leaf = arguments["query" if "query" in arguments else "key"].requires_grad_()
            results = getattr(ops, name)(**arguments, horizon=8, **({} if name == "attention_state" else dict(eps=2.0)))
            output = results if isinstance(results, torch.Tensor) else results[0]
            (gradient,) = torch.autograd.grad(output.square().sum(), leaf, create_graph=True)
            with self.assertRaises(RuntimeError) as caught:
                gradient.sum().backward()
            line = f"derivative for cosformer::_{name}_backward is not implemented"
            self.assertEqual(str(caught.exception).splitlines(), [line])

    def test_forward_mode(self):
        with torch.autograd.forward_ad.dual_level():
            for name in ("attention", "attention_varlen", "attention_stateful", "attention_state", "attention_read"):
                arguments = self.arguments(name)
                first = "query" if "query" in arguments else "key"
                dual = torch.autograd.forward_ad.make_dual(arguments[first], torch.ones_like(arguments[first]))
                with self.assertRaisesRegex(RuntimeError, "jvp is not implemented"):
                    getattr(ops, name)(**arguments | {first: dual}, horizon=8)


if __name__ == "__main__":
    unittest.main()
