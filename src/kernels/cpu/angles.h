#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace cosformer::cpu {

/// cos(theta_t), sin(theta_t) of rows of sequences, theta_t = pi t / (2 M): computed in double, rounded once.
/// Sequences that start at the same position share a table. Empty without a horizon.
class Angles {
 public:
  Angles(std::optional<int64_t> horizon, const int64_t* position, int64_t B, int64_t length);

  /// cos(theta) of row 0 of sequence b; row t follows at [t].
  const float* cos(int64_t b) const { return row(cos_, b); }
  const float* sin(int64_t b) const { return row(sin_, b); }

 private:
  const float* row(const std::vector<float>& table, int64_t b) const {
    return table.empty() ? nullptr : table.data() + (shared_ ? 0 : b * length_);
  }

  int64_t length_;
  bool shared_ = true;
  std::vector<float> cos_, sin_;
};

/// cos(pi d / (2 M)) for |d| < length: the weight of two positions by their distance. Empty without a
/// horizon.
class Toeplitz {
 public:
  Toeplitz(std::optional<int64_t> horizon, int64_t length);

  /// Entry of distance 0; negative distances lie before it. Null without a horizon.
  const float* center() const { return table_.empty() ? nullptr : table_.data() + length_; }

 private:
  int64_t length_;
  std::vector<float> table_;
};

}  // namespace cosformer::cpu
