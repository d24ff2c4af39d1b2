#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace cosformer::cpu {

/// cos(theta_t), sin(theta_t) of the tokens of sequences, theta_t = pi t / (2 M): computed in double, rounded
/// once. Sequences that start at the same position share a table. Empty without a horizon.
class Angles {
 public:
  Angles(std::optional<int64_t> horizon, const int64_t* position, int64_t B, int64_t length);

  /// cos(theta) of token 0 of sequence b; token t follows at [t]. Null without a horizon.
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

/// exp(-decay d) of each group at [d], 0 <= d <= length. Empty without a decay.
class Fading {
 public:
  Fading(const float* decay, int64_t G, int64_t length);

  const float* group(int64_t g) const { return table_.empty() ? nullptr : table_.data() + g * (length_ + 1); }

 private:
  int64_t length_;
  std::vector<float> table_;
};

/// cos(pi d / (2 M)) exp(-decay |d|) for |d| <= length: the weight of two positions by their distance, of
/// each group where there is a decay. Empty where every weight is 1.
class Weights {
 public:
  Weights(std::optional<int64_t> horizon, const float* decay, int64_t G, int64_t length);

  /// The entry of distance 0; negative distances lie before it. Null where every weight is 1.
  const float* center(int64_t g) const {
    return table_.empty() ? nullptr : table_.data() + (shared_ ? 0 : g) * (2 * length_ + 1) + length_;
  }

 private:
  int64_t length_;
  bool shared_;
  std::vector<float> table_;
};

}  // namespace cosformer::cpu
