"""The definition of every operator in plain torch, a pair or a token at a time, and the operators under test.

Written from the formulas alone, in float64; rounding.py says how far lower precision may be from it.
"""
import math
import os
import unittest

import torch

torch.ops.load_library(os.environ["COSFORMER_OPS_LIBRARY"])
ops = torch.ops.cosformer

SEED = int(os.environ.get("COSFORMER_TEST_SEED", 0))
DEVICE = os.environ.get("COSFORMER_TEST_DEVICE", "cpu")
DTYPES = (torch.float32, torch.bfloat16, torch.float64 if DEVICE == "cpu" else torch.float16)
torch.set_default_device(DEVICE)


class TestCase(unittest.TestCase):
    """Random numbers depend on COSFORMER_TEST_SEED alone, not on the tests that ran before."""

    def setUp(self):
        torch.manual_seed(SEED)


def numbers(seed):
    """A source of random numbers of its own."""
    return torch.Generator(DEVICE).manual_seed(seed + 1000 * SEED)


def phi(x, feature_map):
    return x.relu() if feature_map == "relu" else x


def to_heads(x, heads):
    """[..., G, width] -> [..., H, width]: query head h reads group h / (H / G)."""
    return x.repeat_interleave(heads // x.shape[-2], -2) if heads != x.shape[-2] else x


def positions(mask, B, T):
    """How many tokens of its sequence stand before each row, [B, T]."""
    if mask is None:
        return torch.arange(T).expand(B, T)
    return (~mask).long().cumsum(1) - (~mask).long()


def without_padding(x, mask):
    """Rows that are padding become 0 and pass no gradient."""
    return x if mask is None else torch.where(mask[..., None, None], torch.zeros((), dtype=x.dtype), x)


def factors(query, key, *, horizon, causal, query_padding_mask=None, key_padding_mask=None, decay=None, cosine=True):
    """What phi(q_i) . phi(k_j) is multiplied by, [B, H, Tq, Tk]; 0 where a row does not see a key."""
    B, Tq, H = query.shape[:3]
    i = positions(query_padding_mask, B, Tq)[:, None, :, None]
    j = positions(key_padding_mask, B, key.shape[1])[:, None, None, :]
    factor = torch.ones(B, H, Tq, key.shape[1], dtype=torch.float64)
    if horizon is not None and cosine:
        factor = factor * torch.cos(math.pi * (i - j).double() / (2 * horizon))
    if decay is not None:
        rate = decay.double().repeat_interleave(H // len(decay))
        factor = factor * torch.exp(-rate[:, None, None] * (i - j).clamp_min(0))
    if causal:
        factor = factor.masked_fill(j > i, 0)
    if key_padding_mask is not None:
        factor = factor.masked_fill(key_padding_mask[:, None, None, :], 0)
    if query_padding_mask is not None:
        factor = factor.masked_fill(query_padding_mask[:, None, :, None], 0)
    return factor


def attention(query, key, value, *, feature_map="relu", normalize=True, eps=1e-6, **rows):
    """rows: horizon, causal, query_padding_mask, key_padding_mask, decay."""
    rows = dict(causal=False) | rows
    H = query.shape[2]
    query = without_padding(query, rows.get("query_padding_mask"))
    key, value = (without_padding(x, rows.get("key_padding_mask")) for x in (key, value))
    w = torch.einsum("bihk,bjhk->bhij", phi(query, feature_map), phi(to_heads(key, H), feature_map))
    w = w * factors(query, key, **rows).to(w.dtype)
    if normalize:
        w = w / w.sum(-1, keepdim=True).clamp_min(eps)
    return torch.einsum("bhij,bjhv->bihv", w, to_heads(value, H))


def attention_varlen(query, key, value, cu_seqlens_q, cu_seqlens_k, **options):
    pieces = []
    for b in range(len(cu_seqlens_q) - 1):
        q, k, v = (
            x[cu[b] : cu[b + 1]][None]
            for x, cu in ((query, cu_seqlens_q), (key, cu_seqlens_k), (value, cu_seqlens_k))
        )
        pieces.append(attention(q, k, v, **options)[0])
    return torch.cat(pieces) if pieces else value.new_zeros(0, query.shape[1], value.shape[2])


def features(x, position, horizon, feature_map):
    """x~ of one token a row, [B, heads, K] -> [B, heads, N, K]."""
    x = phi(x, feature_map)
    if horizon is None:
        return x[:, :, None]
    theta = (math.pi * position.double() / (2 * horizon))[:, None, None]
    return torch.stack([x * theta.cos(), x * theta.sin()], 2)


def advance(key, value, S, z, position, *, horizon, decay=None, feature_map="relu"):
    """The state after one token a row."""
    if decay is not None:
        left = torch.exp(-decay.double())
        S, z = S * left[:, None, None, None], z * left[:, None, None]
    k = features(key, position, horizon, feature_map)
    if decay is not None:  # it stands one position further on
        k = k * left[:, None, None]
    return S + k[..., None] * value[:, :, None, None, :], z + k


def read(query, S, z, position, *, horizon, feature_map="relu", normalize=True, eps=1e-6):
    """One query a row, [B, H, K], reads a state."""
    q = features(query, position, horizon, feature_map)
    each = q.shape[1] // max(S.shape[1], 1)
    S, z = S.repeat_interleave(each, 1), z.repeat_interleave(each, 1)
    output = torch.einsum("bhnk,bhnkv->bhv", q, S)
    return output / (q * z).sum((-1, -2)).clamp_min(eps)[..., None] if normalize else output


def keep(padded, old, new):
    """`new` in the rows whose token is none of padding."""
    return new if padded is None else torch.where(padded.view(-1, *[1] * (new.dim() - 1)), old, new)


def attention_stateful(query, key, value, S, z, position, *, padding_mask=None, decay=None, **options):
    """The recurrence, a token at a time. A decayed state stands one position after its last token."""
    query, key, value = (without_padding(x, padding_mask) for x in (query, key, value))
    horizon, feature_map = options["horizon"], options.get("feature_map", "relu")
    outputs = []
    for t in range(query.shape[1]):
        padded = None if padding_mask is None else padding_mask[:, t]
        S_next, z_next = advance(
            key[:, t], value[:, t], S, z, position, horizon=horizon, decay=decay, feature_map=feature_map
        )
        # The reader stands on the token itself, one position before the state.
        grown = torch.ones(S.shape[1], dtype=torch.float64) if decay is None else torch.exp(decay.double())
        seen = S_next * grown[:, None, None, None], z_next * grown[:, None, None]
        output = read(query[:, t], *seen, position, **options)
        outputs.append(keep(padded, torch.zeros_like(output), output))
        S, z = keep(padded, S, S_next), keep(padded, z, z_next)
        position = position + (1 if padded is None else (~padded).long())
    B, T, H, _ = query.shape
    output = torch.stack(outputs, 1) if outputs else value.new_zeros(B, T, H, value.shape[-1])
    return output, S, z, position


def attention_state(key, value, position, *, horizon, padding_mask=None, **options):
    key, value = (without_padding(x, padding_mask) for x in (key, value))
    S, z, _ = empty_state(key, value, horizon)
    for t in range(key.shape[1]):
        padded = None if padding_mask is None else padding_mask[:, t]
        S_next, z_next = advance(key[:, t], value[:, t], S, z, position, horizon=horizon, **options)
        S, z = keep(padded, S, S_next), keep(padded, z, z_next)
        position = position + (1 if padded is None else (~padded).long())
    return S, z


def attention_read(query, S, z, position, **options):
    outputs = [read(query[:, t], S, z, position + t, **options) for t in range(query.shape[1])]
    return torch.stack(outputs, 1) if outputs else S.new_zeros(*query.shape[:3], S.shape[-1])


def state_type(dtype):
    return torch.float64 if dtype == torch.float64 else torch.float32


def empty_state(key, value, horizon):
    """S, z and position at the start of B sequences."""
    B, _, G, K = key.shape
    N = 1 if horizon is None else 2
    zeros = lambda *sizes: torch.zeros(sizes, dtype=state_type(key.dtype))
    return zeros(B, G, N, K, value.shape[-1]), zeros(B, G, N, K), torch.zeros(B, dtype=torch.int64)


def random_state(key, value, horizon, at):
    """A state at positions of its own for each row, with a denominator that is not small."""
    S, z, _ = empty_state(key, value, horizon)
    generator = numbers(7)
    S = torch.randn(S.shape, generator=generator, dtype=torch.float64).to(S.dtype)
    z = (torch.rand(z.shape, generator=generator, dtype=torch.float64) + 0.1).to(z.dtype)
    return S, z, torch.tensor(at, dtype=torch.int64)


def inputs(B, Tq, Tk, H, K, V, dtype=torch.float32, seed=0, feature_map="relu", G=None):
    """query, key, value away from relu's kink at 0; for identity, non-negative features."""
    generator = numbers(seed)
    G = H if G is None else G
    query, key, value = (
        torch.randn(*size, generator=generator, dtype=torch.float64)
        for size in ((B, Tq, H, K), (B, Tk, G, K), (B, Tk, G, V))
    )
    query, key = (x + 0.05 * x.sign() for x in (query, key))
    if feature_map == "identity":
        query, key = query.abs(), key.abs()
    if dtype == torch.float16:  # 1 / eps, a factor in gradients of a query without weight, is beyond its range
        query[..., :1], key[..., :1] = query[..., :1].abs() + 0.5, key[..., :1].abs() + 0.5
    return query.to(dtype), key.to(dtype), value.to(dtype)


def mask(*rows):
    """bool [B, T] from rows such as "..xx", where x is padding."""
    return torch.tensor([[c == "x" for c in row] for row in rows])


def poison(mask, *tensors):
    """The tensors with NaN in rows that are padding."""
    return [x.masked_fill(mask[..., None, None], math.nan) for x in tensors]
