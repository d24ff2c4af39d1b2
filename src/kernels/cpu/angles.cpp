#include "kernels/cpu/angles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace cosformer::cpu {
namespace {

/// cos and sin of theta for positions first, first + 1, ...; a sine and cosine are computed once for every
/// kStretch positions, the others by angle addition in double (error some 1e-16, far below float's).
class Waves {
 public:
  explicit Waves(int64_t horizon) : step_(std::numbers::pi / (2.0 * static_cast<double>(horizon))) {
    for (int r = 0; r < kStretch; ++r) fine_[r] = {std::cos(step_ * r), std::sin(step_ * r)};
  }

  void fill(int64_t first, int64_t count, float* cos, float* sin) const {
    // Stretches begin at multiples of kStretch, so a position's value does not depend on where the call
    // starts.
    for (int64_t t = first; t < first + count;) {
      const int64_t base = t - t % kStretch;
      const double c = std::cos(step_ * static_cast<double>(base)),
                   s = std::sin(step_ * static_cast<double>(base));
      const int64_t end = std::min(base + kStretch, first + count);
      for (; t < end; ++t) {
        const auto& [fine_cos, fine_sin] = fine_[t - base];
        cos[t - first] = static_cast<float>(c * fine_cos - s * fine_sin);
        if (sin) sin[t - first] = static_cast<float>(s * fine_cos + c * fine_sin);
      }
    }
  }

 private:
  static constexpr int kStretch = 64;
  double step_;
  std::array<std::pair<double, double>, kStretch> fine_;
};

}  // namespace

Angles::Angles(std::optional<int64_t> horizon, const int64_t* position, int64_t B, int64_t length)
    : length_(length) {
  if (!horizon) return;
  shared_ = !position || std::all_of(position, position + B, [&](int64_t p) { return p == position[0]; });
  const Waves waves(*horizon);
  const int64_t tables = shared_ ? std::min<int64_t>(B, 1) : B;
  cos_.resize(static_cast<size_t>(tables * length));
  sin_.resize(cos_.size());
  for (int64_t b = 0; b < tables; ++b) {
    waves.fill(position ? position[b] : 0, length, cos_.data() + b * length, sin_.data() + b * length);
  }
}

Toeplitz::Toeplitz(std::optional<int64_t> horizon, int64_t length) : length_(length) {
  if (!horizon) return;
  table_.resize(static_cast<size_t>(2 * length + 1));
  float* center = table_.data() + length;
  Waves(*horizon).fill(0, length + 1, center, nullptr);
  for (int64_t d = 1; d <= length; ++d) center[-d] = center[d];
}

}  // namespace cosformer::cpu
