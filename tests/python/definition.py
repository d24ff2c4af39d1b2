"""The definition of the attention in plain torch, the errors that float32 may make, and the operators under test."""
import math
import os

import torch

torch.ops.load_library(os.environ["COSFORMER_OPS_LIBRARY"])
ops = torch.ops.cosformer

UNIT_ROUNDOFF = 2.0**-24  # of float32


def phi(x, feature_map):
    return x.relu() if feature_map == "relu" else x


def cosines(queries, keys, horizon):
    """cos(theta_i - theta_j), [Tq, Tk]."""
    if horizon is None:
        return torch.ones(queries, keys, dtype=torch.float64)
    distance = torch.arange(queries)[:, None] - torch.arange(keys)[None, :]
    return torch.cos(math.pi * distance.double() / (2 * horizon))


def weights(query, key, horizon, causal, feature_map):
    """w_ij, [B, H, Tq, Tk]."""
    w = torch.einsum("bihk,bjhk->bhij", phi(query, feature_map), phi(key, feature_map))
    w = w * cosines(query.shape[1], key.shape[1], horizon)
    return w.tril() if causal else w


def attention(query, key, value, *, horizon, causal=False, feature_map="relu", eps=1e-6):
    w = weights(query, key, horizon, causal, feature_map)
    normalized = w / w.sum(-1, keepdim=True).clamp_min(eps)
    return torch.einsum("bhij,bjhv->bihv", normalized, value)


def features(x, position, horizon, feature_map):
    """x~ of one token a row, [B, H, K] -> [B, H, N, K]."""
    x = phi(x, feature_map)
    if horizon is None:
        return x[:, :, None]
    theta = (math.pi * position.double() / (2 * horizon))[:, None, None]
    return torch.stack([x * theta.cos(), x * theta.sin()], 2)


def attention_stateful(query, key, value, S, z, position, *, horizon, feature_map="relu", eps=1e-6):
    """The recurrence, a token at a time."""
    outputs = []
    for t in range(query.shape[1]):
        k = features(key[:, t], position, horizon, feature_map)
        q = features(query[:, t], position, horizon, feature_map)
        S = S + k[..., None] * value[:, t, :, None, None, :]
        z = z + k
        denominator = (q * z).sum((-1, -2)).clamp_min(eps)
        outputs.append(torch.einsum("bhnk,bhnkv->bhv", q, S) / denominator[..., None])
        position = position + 1
    output = torch.stack(outputs, 1) if outputs else value.new_zeros(value.shape)
    return output, S, z, position


def empty_state(query, value, horizon):
    """S, z and position at the start of B sequences."""
    B, _, H, K = query.shape
    N = 1 if horizon is None else 2
    S = query.new_zeros(B, H, N, K, value.shape[-1])
    return S, query.new_zeros(B, H, N, K), torch.zeros(B, dtype=torch.int64)


def bounds(query, key, value, d_output, *, horizon, causal, feature_map="relu", eps=1e-6):
    """What float32 may be wrong by, in any form and order of summation: output, d_query, d_key, d_value.

    Weights have no negative term, so that a sum of n products has relative error n u; each bound is the sum of absolute
    terms times the number of roundings on the way: K in a weight, T in a sum over keys, V in a product with a value,
    thrice where output and denominator bring theirs along, and a few for factors and the division.
    """
    query, key, value, d_output = (x.double() for x in (query, key, value, d_output))
    T, K, V = max(query.shape[1], key.shape[1]), query.shape[3], value.shape[3]
    w = weights(query, key, horizon, causal, feature_map)
    denominator = w.sum(-1, keepdim=True).clamp_min(eps)
    w = w / denominator
    output = torch.einsum("bhij,bjhv->bihv", w, value.abs())
    d_weight = torch.einsum("bihv,bjhv->bhij", d_output.abs(), value.abs())
    d_weight = d_weight + (d_output.abs() * output).sum(-1).transpose(1, 2)[..., None]
    d_weight = d_weight * cosines(query.shape[1], key.shape[1], horizon) / denominator
    if causal:
        d_weight = d_weight.tril()
    d_query = torch.einsum("bhij,bjhk->bihk", d_weight, phi(key, feature_map))
    d_key = torch.einsum("bhij,bihk->bjhk", d_weight, phi(query, feature_map))
    d_value = torch.einsum("bhij,bihv->bjhv", w, d_output.abs())
    forward, backward = 2 * (K + T + 8) * UNIT_ROUNDOFF, 4 * (K + T + V + 8) * UNIT_ROUNDOFF
    return forward * output, backward * d_query, backward * d_key, backward * d_value


def inputs(B, Tq, Tk, H, K, V, dtype=torch.float32, seed=0, feature_map="relu"):
    """query, key, value away from relu's kink at 0; for identity, non-negative features."""
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (
        torch.randn(*size, generator=generator, dtype=torch.float64)
        for size in ((B, Tq, H, K), (B, Tk, H, K), (B, Tk, H, V))
    )
    query, key = (x + 0.05 * x.sign() for x in (query, key))
    if feature_map == "identity":
        query, key = query.abs(), key.abs()
    return query.to(dtype), key.to(dtype), value.to(dtype)
