#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>

#include "nn/head_loss.h"

namespace cosformer::nn::test {
namespace {

/// Sums up what LibTorch allocates and frees on the thread.
class AllocatedBytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t alloc_size, size_t, size_t, c10::Device) override {
    now_ += alloc_size;
    peak_ = std::max(peak_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak() const { return peak_; }

 private:
  int64_t now_ = 0, peak_ = 0;
};

/// The most bytes that a call holds at a time, beyond what was there.
template <class Call>
int64_t peak_bytes(const Call& call) {
  const auto bytes = std::make_shared<AllocatedBytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, bytes);
  call();
  return bytes->peak();
}

TEST(HeadMemory, ALargeVocabularysLossNeverHoldsAllLogits) {
  constexpr int64_t kRows = 2048, kVocabulary = 33'278, kWidth = 128, kLogits = kRows * kVocabulary * 4;
  const auto x = torch::randn({kRows, kWidth}).requires_grad_();
  const auto weight = torch::randn({kVocabulary, kWidth}).mul_(0.1).requires_grad_();
  const auto targets = torch::randint(kVocabulary, {kRows}, torch::kInt64);
  torch::Tensor chunked_loss, plain_loss;
  const int64_t chunked = peak_bytes([&] {
    chunked_loss = head_loss(x, weight, targets);
    torch::autograd::grad({chunked_loss}, {x, weight});
  });
  const int64_t plain = peak_bytes([&] {
    plain_loss = at::cross_entropy_loss(at::linear(x, weight), targets);
    torch::autograd::grad({plain_loss}, {x, weight});
  });
  std::printf("peak of loss and gradients: %.1f MB in chunks, %.1f MB with all logits (%.1f MB each)\n",
              static_cast<double>(chunked) / 1e6, static_cast<double>(plain) / 1e6,
              static_cast<double>(kLogits) / 1e6);
  EXPECT_NEAR(chunked_loss.item<double>(), plain_loss.item<double>(), 1e-4);
  // Two chunks of 2^21 numbers, and the gradients of both with their products with that of the loss.
  EXPECT_LT(chunked, 2 * (4 << 21) + 2 * 4 * (kVocabulary + kRows) * kWidth + (1 << 20));
  EXPECT_LT(8 * chunked, plain);
  EXPECT_GT(plain, 2 * kLogits) << "or nothing is counted";
}

}  // namespace
}  // namespace cosformer::nn::test
