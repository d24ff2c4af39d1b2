#pragma once

#include <torch/types.h>

#include <optional>

#include "cosformer/nn/sequence_split.h"
#include "cosformer/ops/attention.h"

namespace cosformer::nn {

/// Causal attention over whole sequences of which this process has one stretch: it sends the state of its
/// tokens, of B G N K (V + 1) floats whatever the length, and goes on from the states of those before;
/// backward sends the gradient of that state. Loss and gradients are those of ops::attention over the whole
/// sequence, but for the order of sums.
/// @param query, key, value [B, T / count, H, K], [B, T / count, G, K], [B, T / count, G, V]
/// @return [B, T / count, H, V]
/// @throws as ops::attention_stateful
torch::Tensor split_attention(const torch::Tensor& query, const torch::Tensor& key,
                              const torch::Tensor& value, std::optional<int64_t> horizon,
                              const ops::StatefulOptions& options, const SequenceSplit& split);

}  // namespace cosformer::nn
