#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cosformer/error.h"

namespace cosformer::nn {

/// What a decoder language model is made of; the content of a model folder's config.json.
struct LanguageModelConfig {
  int64_t vocabulary_size = 256;
  int64_t layers = 4;
  int64_t width = 256;
  /// A divisor of width; each head is width / heads wide.
  int64_t heads = 4;
  int64_t ffn_width = 1024;
  /// "cosformer"; "linear" = features elu(x) + 1 without re-weighting; "softmax".
  std::string attention = "cosformer";
  /// M, in tokens. Only "cosformer" takes one; none switches re-weighting off there.
  std::optional<int64_t> horizon;
  /// "gelu": down(gelu(up(x))); "swiglu": down(silu(gate(x)) * up(x)).
  std::string ffn = "gelu";
  /// "learned": a table of max_length rows; "sinusoidal": any length, width even.
  std::string positions = "learned";
  /// Rows of the learned table; without one it limits nothing.
  int64_t max_length = 512;
  /// Probability, for the embedding and the outputs of attention and ffn.
  double dropout = 0;
  /// Probability, inside ffn, of what goes into down.
  double activation_dropout = 0;
  /// Probability, of attention's weights; "softmax" alone, since the other kinds form none.
  double attention_dropout = 0;
  /// The head uses the embedding's matrix.
  bool tie_embeddings = true;

  friend bool operator==(const LanguageModelConfig&, const LanguageModelConfig&) = default;
};

/// @throws ShapeError `<prefix>heads: expected a divisor of width 256, got 3` for the first value that is
/// wrong or does not fit the others. A recipe passes "recipe.toml: model." as prefix.
void check(const LanguageModelConfig& config, std::string_view prefix = "model: ");

/// One JSON object, every field under its own name, horizon an integer or "none".
std::string to_json(const LanguageModelConfig& config);

/// @param name of the file, for errors
/// @throws FormatError if the text is no JSON object, a key is unknown or absent, a type is wrong, or check()
/// refuses
LanguageModelConfig config_from_json(std::string_view text, std::string_view name);

}  // namespace cosformer::nn
