"""Autocast: queries, keys and values take its dtype, states keep theirs."""
import unittest

import torch

from definition import DEVICE, TestCase, inputs, ops, random_state

BF16 = torch.bfloat16


def rounded(*tensors):
    return [x.to(BF16) for x in tensors]


class Autocast(TestCase):
    def setUp(self):
        self.q, self.k, self.v = inputs(2, 9, 9, 4, 8, 6, G=2)
        self.state = random_state(self.k, self.v, 100, [0, 9])

    def check(self, call, tensors):
        """Under autocast `call` gives what it gives on bfloat16 tensors outside."""
        expected = call(*rounded(*tensors))
        with torch.autocast(DEVICE, dtype=BF16):
            got = call(*tensors)
            mixed = call(tensors[0].to(BF16), *tensors[1:])
        for a, b, c in zip(got, expected, mixed):
            self.assertEqual(a.dtype, b.dtype)
            self.assertTrue(torch.equal(a, b) and torch.equal(a, c))
        return got

    def test_every_operator(self):
        q, k, v = self.q, self.k, self.v
        S, z, position = self.state
        (output,) = self.check(lambda *x: [ops.attention(*x, horizon=100, causal=True)], (q, k, v))
        self.assertEqual(output.dtype, BF16)
        offsets = torch.tensor([0, 4, 9])
        self.check(lambda *x: [ops.attention_varlen(*x, offsets, offsets, horizon=100)], (q[0], k[0], v[0]))
        output, *after = self.check(lambda *x: ops.attention_stateful(*x, *self.state, horizon=100), (q, k, v))
        self.assertEqual([x.dtype for x in (output, *after)], [BF16, torch.float32, torch.float32, torch.int64])
        state = self.check(lambda *x: ops.attention_state(*x, position, horizon=100), (k, v))
        self.assertEqual([x.dtype for x in state], [torch.float32] * 2)
        self.check(lambda x: [ops.attention_read(x, *self.state, horizon=100)], (q,))

        def step(*x):
            in_place = [y.clone() for y in self.state]
            return ops.attention_step_(*x, *in_place, horizon=100), *in_place

        output, *after = self.check(step, [x[:, :1] for x in (q, k, v)])
        self.assertEqual([x.dtype for x in (output, *after)], [BF16, torch.float32, torch.float32, torch.int64])

    def test_gradients_have_the_leaves_dtype(self):
        leaves = [x.requires_grad_() for x in (self.q, self.k, self.v)]
        with torch.autocast(DEVICE, dtype=BF16):
            output = ops.attention(*leaves, horizon=9, causal=True)
        output.float().square().sum().backward()
        self.assertEqual([x.grad.dtype for x in leaves], [torch.float32] * 3)
        again = [x.detach().to(BF16).requires_grad_() for x in leaves]
        ops.attention(*again, horizon=9, causal=True).float().square().sum().backward()
        for a, b in zip(leaves, again):
            self.assertTrue(torch.equal(a.grad, b.grad.float()))

    def test_float64_stays(self):
        tensors = [x.double() for x in (self.q, self.k, self.v)]
        with torch.autocast(DEVICE, dtype=BF16):
            if DEVICE == "cpu":
                self.assertEqual(ops.attention(*tensors, horizon=9).dtype, torch.float64)
            else:  # where it is refused
                self.assertRaisesRegex(TypeError, "got Double", ops.attention, *tensors, horizon=9)

    def test_float16_is_not_taken_on_cpu(self):
        with torch.autocast(DEVICE, dtype=torch.float16):
            dtype = ops.attention(self.q, self.k, self.v, horizon=9).dtype
        self.assertEqual(dtype, torch.float32 if DEVICE == "cpu" else torch.float16)


if __name__ == "__main__":
    unittest.main()
