#pragma once

#include "cosformer/nn/config.h"
#include "cosformer/nn/precision.h"

/// What a model costs, computed from its config alone. w width, f ffn width, n layers, H heads, K = w / H, v
/// vocabulary, L length, N states (2 with a horizon, else 1).
namespace cosformer::nn {

/// Parameters by part.
struct ParameterCounts {
  int64_t embedding;    ///< v w
  int64_t positions;    ///< max_length w where learned
  int64_t projections;  ///< n (4 w^2 + 4 w)
  int64_t ffn;          ///< n (2 w f + f + w); swiglu n (3 w f + 2 f + w)
  int64_t norms;        ///< 2 w (2 n + 1)
  int64_t head;         ///< v w where untied

  int64_t total() const { return embedding + positions + projections + ffn + norms + head; }
  /// All but the two tables of the input and an untied head.
  int64_t non_embedding() const { return projections + ffn + norms; }
};
ParameterCounts parameters(const LanguageModelConfig& config);

/// Floating-point operations a token by part, a multiply-add counted as 2; looking up rows, norms,
/// activations and biases are left out (together O(w)).
struct Operations {
  double projections;  ///< 2 * 4 n w^2
  double attention;  ///< cosformer, linear: n H 4 N K (K + 1), at any L; softmax: n 2 w (L + 1), a mean over
                     ///< positions
  double ffn;        ///< n 4 w f; swiglu n 6 w f
  double head;       ///< 2 v w

  double total() const { return projections + attention + ffn + head; }
};
/// Over sequences of `length` tokens.
Operations forward_operations(const LanguageModelConfig& config, int64_t length);

/// Forward and backward: matrices 3 times the forward, attention 3.5 times (its backward recomputes the
/// weights).
Operations training_operations(const LanguageModelConfig& config, int64_t length);

/// What a step of training is made of.
struct TrainingSize {
  int64_t rows;    ///< sequences a micro-batch
  int64_t length;  ///< tokens a sequence
  int64_t accumulation = 1;
  int64_t copies = 2;  ///< numbers a weight that the optimiser and an average of weights keep; 2 for AdamW
  Precision precision = Precision::kFloat32;
  bool recompute = false;
};

/// Bytes of a step of training.
struct TrainingMemory {
  int64_t weights;    ///< 4 bytes a parameter
  int64_t gradients;  ///< the same
  int64_t moments;    ///< `copies` times that
  /// What autograd keeps at the end of the forward pass.
  int64_t activations;
  /// All that exists at the worst moment of a step: gradients come while activations go.
  int64_t peak;
};
/// Counts tensors; LibTorch and its threads take some tens of MB beside.
TrainingMemory training_memory(const LanguageModelConfig& config, const TrainingSize& size);

/// Bytes that decoding keeps of one sequence after `length` tokens, float32: n H N K (K + 1) 4 for cosformer
/// and linear, n 2 w 4 length for softmax (its cache may hold up to twice that).
int64_t decoder_state_bytes(const LanguageModelConfig& config, int64_t length);

}  // namespace cosformer::nn
