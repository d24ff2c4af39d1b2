#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/tokens.h"

namespace cosformer::data {

/// Stands where nothing is to be predicted.
inline constexpr int64_t kNoTarget = -100;

/// Sequences of equal length T, one a row. A shorter one is padded on the right with token 0 and kNoTarget.
struct Batch {
  int64_t rows = 0, length = 0;
  std::vector<int64_t> inputs, targets;  ///< [rows, length]; targets[t] = inputs[t + 1]
  int64_t predicted = 0;                 ///< targets other than kNoTarget
};

/// Tokens cut into sequences: number i predicts the T tokens after token i T, so that each token but the
/// first is predicted once. The last sequence may be shorter.
class Sequences {
 public:
  /// @param length T >= 1
  Sequences(Tokens tokens, int64_t length) : tokens_(std::move(tokens)), length_(length) {}

  int64_t count() const { return (predicted() + length_ - 1) / length_; }
  /// Tokens that are predicted.
  int64_t predicted() const { return tokens_.size() > 0 ? tokens_.size() - 1 : 0; }
  /// Of the tokens. @see Tokens::identity
  std::string identity() const { return tokens_.identity(); }

  /// As long as the longest of the sequences.
  /// @param numbers at least one, each within count()
  Batch batch(std::span<const int64_t> numbers) const;

 private:
  Tokens tokens_;
  int64_t length_;
};

}  // namespace cosformer::data
