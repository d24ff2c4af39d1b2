"""What float32, bfloat16 and float16 may be wrong by, in any form and order of summation.

A result is a sum of products; rounding errors are relative to the sum of their absolute values (docs/numerics.md): weights
count without their cosine, which is a sum of two halves that may cancel, and a denominator's error counts relative to the
denominator. Each bound is that sum times the number of roundings on the way: K in a weight, T in a sum over keys, V in a
product with a value, a few for factors and the division. bfloat16 and float16 add roundings of matrices and of the result itself;
below its smallest normal number a float16 is rounded as that number is.
"""
import torch

from definition import DTYPES, factors, phi, to_heads, without_padding

UNIT = dict.fromkeys((torch.float32, torch.bfloat16, torch.float16), 2.0**-24) | {torch.float64: 2.0**-50}  # eps travels as float32
MATRIX = {torch.float32: 0.0, torch.bfloat16: 2.0**-9, torch.float16: 2.0**-12, torch.float64: 0.0}
SMALLEST = {torch.float16: 2.0**-14}
UNROUNDED = [dtype for dtype in DTYPES if not MATRIX[dtype]]


def bounds(query, key, value, d_output, results, dtype, *, feature_map="relu", normalize=True, eps=1e-6, **rows):
    """Of output, d_query, d_key, d_value, whose exact values are `results`; all arguments in float64."""
    rows = dict(causal=False) | rows
    query_mask, key_mask = rows.get("query_padding_mask"), rows.get("key_padding_mask")
    B, Tq, H, K = query.shape
    G, V, T = key.shape[2], value.shape[3], max(Tq, key.shape[1])
    query, d_output = without_padding(query, query_mask), without_padding(d_output, query_mask).abs()
    key, value = without_padding(key, key_mask), without_padding(value, key_mask).abs()
    q, k, v = phi(query, feature_map), phi(to_heads(key, H), feature_map), to_heads(value, H)
    products = torch.einsum("bihk,bjhk->bhij", q, k)
    factor = factors(query, key, **rows, cosine=False)
    smallest = SMALLEST.get(dtype, 0.0)
    size = at_least(products * factor, smallest)
    denominator, amplified = 1.0, 1.0
    if normalize:
        denominator = (products * factors(query, key, **rows)).sum(-1, keepdim=True).clamp_min(eps)
        amplified = 1 + size.sum(-1, keepdim=True) / denominator
    output = torch.einsum("bhij,bjhv->bihv", size / denominator * amplified, v)
    scale = torch.ones(B, H, Tq, 1, dtype=torch.float64) / denominator * amplified
    g = d_output * scale.transpose(1, 2)
    delta = (g * (output + results[0].abs())).sum(-1).transpose(1, 2)[..., None] if normalize else 0.0
    d_weight = at_least((torch.einsum("bihv,bjhv->bhij", g, v) + delta) * factor, smallest * scale.clamp_min(1))
    d_query = torch.einsum("bhij,bjhk->bihk", d_weight, k)
    d_key = torch.einsum("bhij,bihk->bjhk", d_weight, q).unflatten(2, (G, H // G)).sum(3)
    d_value = torch.einsum("bhij,bihv->bjhv", size, g).unflatten(2, (G, H // G)).sum(3)
    forward = (K + T + 8) * UNIT[dtype] + 4 * MATRIX[dtype]
    backward = (2 * (K + T) + V + 8) * UNIT[dtype] + 8 * MATRIX[dtype]
    sizes = (forward * output, backward * d_query, backward * d_key, backward * d_value)
    return [size + 2 * MATRIX[dtype] * result.abs().clamp_min(smallest) for size, result in zip(sizes, results)]


def at_least(sizes, smallest):
    """Of those that are not 0."""
    return torch.where(sizes > 0, torch.maximum(sizes, torch.as_tensor(smallest, dtype=sizes.dtype)), sizes)


def near(test, got, expected, dtype, roundings, what):
    """Relative to the norm; matrices and results may be rounded to the dtype."""
    error = (got.double() - expected).norm().item()
    unit = 2 * roundings * UNIT[dtype] + 8 * MATRIX[dtype]
    test.assertLessEqual(error, unit * expected.norm().item() + 1e-30, what)


def excess(got, expected, bound):
    """The largest error beyond its bound; not a number where one is not."""
    return ((got.double() - expected).abs() - bound).max().item() if got.numel() else 0.0
