"""Run with the library's path: python3 attention.py build/release/lib/libcosformer_ops.so"""
import sys
import torch

torch.ops.load_library(sys.argv[1])
query, key, value = (torch.randn(2, 128, 8, 64, requires_grad=True) for _ in range(3))  # batch, length, heads, width
output = torch.ops.cosformer.attention(query, key, value, horizon=128, causal=True)
output.square().mean().backward()
print("output", tuple(output.shape), "gradient of query", query.grad.norm().item())
