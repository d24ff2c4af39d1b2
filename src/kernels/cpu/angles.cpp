#include "kernels/cpu/angles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
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
      const int64_t end = base + std::min<int64_t>(kStretch, first + count - base);
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

Fading::Fading(const float* decay, int64_t G, int64_t length) : length_(length) {
  for (int64_t g = 0; decay && g < G; ++g) {
    for (int64_t d = 0; d <= length; ++d) {
      table_.push_back(static_cast<float>(std::exp(-static_cast<double>(decay[g]) * static_cast<double>(d))));
    }
  }
}

Weights::Weights(std::optional<int64_t> horizon, const float* decay, int64_t G, int64_t length)
    : length_(length), shared_(!decay) {
  if (!horizon && !decay) return;
  std::vector<float> cosine(static_cast<size_t>(length + 1), 1.0F);
  if (horizon) Waves(*horizon).fill(0, length + 1, cosine.data(), nullptr);
  const Fading fading(decay, G, length);
  for (int64_t g = 0; g < (shared_ ? 1 : G); ++g) {
    for (int64_t d = -length; d <= length; ++d) {
      const int64_t distance = std::abs(d);
      table_.push_back(cosine[static_cast<size_t>(distance)] * (decay ? fading.group(g)[distance] : 1.0F));
    }
  }
}

}  // namespace cosformer::cpu
