#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace cosformer::test {

/// Numbers out of the bytes that a fuzzer gives; 0 once they are used up.
class RandomBytes {
 public:
  RandomBytes(const uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  int64_t below(int64_t n) { return byte() % n; }
  bool one_in(int64_t n) { return below(n) == n - 1; }  // 0 is false, so that short inputs are plain

  /// Numbers at which arithmetic goes wrong.
  int64_t extreme() {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
    constexpr std::array<int64_t, 11> kExtremes = {
        kMost,         -kMost - 1, kMost - 1,        kMost / 2,     kMost / 4 + 1,   kMost / 8,
        kMost / 8 + 1, -1,         int64_t{1} << 32, -(kMost / 16), int64_t{1} << 40};
    return kExtremes[static_cast<std::size_t>(below(kExtremes.size()))];
  }

 private:
  const uint8_t* data_;
  std::size_t left_;
};

}  // namespace cosformer::test
