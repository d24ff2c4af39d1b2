#include "train/reusing_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <thread>

namespace cosformer::train {
namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

/// Counts what is out, and has no more than `limit`.
class Counting final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size) override {
    TORCH_CHECK(size <= limit - out, "none left");
    out += size;
    ++calls;
    void* const data = ::operator new (size, std::align_val_t{64});
    sizes.emplace_back(data, size);
    return {data, data, raw_deleter(), c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return [](void* data) {
      const auto entry = std::ranges::find(sizes, data, &std::pair<void*, std::size_t>::first);
      out -= entry->second;
      sizes.erase(entry);
      ::operator delete (data, std::align_val_t{64});
    };
  }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    std::memcpy(to, from, count);
  }

  std::size_t limit = SIZE_MAX;
  static inline std::size_t out, calls;
  static inline std::vector<std::pair<void*, std::size_t>> sizes;
};

class Reusing : public testing::Test {
 protected:
  void SetUp() override { Counting::out = Counting::calls = 0; }

  Counting below_;
  ReusingAllocator allocator_{below_};
};

TEST_F(Reusing, AFreedBlockIsGivenAgain) {
  void* const first = allocator_.allocate(8 * kMegabyte).get();
  const c10::DataPtr smaller = allocator_.allocate(8 * kMegabyte - 100);
  EXPECT_EQ(smaller.get(), first);
  EXPECT_NE(allocator_.allocate(8 * kMegabyte).get(), first) << "in use";
  EXPECT_EQ(Counting::calls, 2U);
}

TEST_F(Reusing, TheBestFitIsTakenAndNoneThatIsMuchLarger) {
  c10::DataPtr eight = allocator_.allocate(8 * kMegabyte), nine = allocator_.allocate(9 * kMegabyte),
               large = allocator_.allocate(100 * kMegabyte);
  void* const at_eight = eight.get();
  for (c10::DataPtr* each : {&nine, &eight, &large}) each->clear();
  EXPECT_EQ(allocator_.allocate(8 * kMegabyte).get(), at_eight);
  EXPECT_EQ(Counting::calls, 3U);
  const c10::DataPtr seven = allocator_.allocate(7 * kMegabyte);
  EXPECT_EQ(Counting::calls, 4U) << "8 MB is more than an eighth too many";
}

TEST_F(Reusing, SmallBlocksPassThrough) {
  void* const small = allocator_.raw_allocate(ReusingAllocator::kLarge - 1);
  EXPECT_EQ(Counting::calls, 1U);
  allocator_.raw_deallocate(small);
  EXPECT_EQ(Counting::out, 0U);
  EXPECT_EQ(allocator_.held(), 0U);
}

TEST_F(Reusing, EmptyBlocksAreNone) {
  EXPECT_EQ(allocator_.allocate(0).get(), nullptr);
  allocator_.raw_deallocate(allocator_.raw_allocate(0));
}

TEST_F(Reusing, RawBlocksAreKeptToo) {
  void* const raw = allocator_.raw_allocate(2 * kMegabyte);
  allocator_.raw_deallocate(raw);
  EXPECT_EQ(allocator_.allocate(2 * kMegabyte).get(), raw);
}

TEST_F(Reusing, BlocksAreAlignedAsThoseBelow) {
  for (const std::size_t size : {std::size_t{5}, kMegabyte, 3 * kMegabyte})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(allocator_.allocate(size).get()) % 64, 0U);
}

TEST_F(Reusing, HoldsLittleMoreThanWasInUse) {
  std::mt19937 random(1);
  std::vector<c10::DataPtr> blocks;
  std::size_t largest = 0;
  for (int i = 0; i < 3000; ++i) {
    if (random() % 2 == 0 && !blocks.empty()) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      blocks.pop_back();
    } else {
      const std::size_t size = kMegabyte + random() % (16 * kMegabyte);
      largest = std::max(largest, size);
      blocks.push_back(allocator_.allocate(size));
    }
    ASSERT_EQ(Counting::out, allocator_.held());
    ASSERT_LE(allocator_.held(), allocator_.most_in_use() / 10 * 11 + 11);
  }
  EXPECT_LT(Counting::calls, 1500U);
}

TEST_F(Reusing, WhatIsKeptIsLetGoBeforeMemoryIsSaidToBeOut) {
  allocator_.allocate(100 * kMegabyte);
  const c10::DataPtr some = allocator_.allocate(2 * kMegabyte);
  below_.limit = 103 * kMegabyte;
  const c10::DataPtr other = allocator_.allocate(60 * kMegabyte);
  EXPECT_EQ(allocator_.held(), 62 * kMegabyte + 2 * 64);
  EXPECT_THROW(allocator_.allocate(50 * kMegabyte), c10::Error);
  EXPECT_EQ(allocator_.held(), 62 * kMegabyte + 2 * 64);
}

TEST_F(Reusing, LeavesNothingBehind) {
  {
    ReusingAllocator allocator(below_);
    allocator.allocate(3 * kMegabyte);
    EXPECT_EQ(Counting::out, 3 * kMegabyte + 64);
  }
  EXPECT_EQ(Counting::out, 0U);
}

TEST(ReusingThreads, NeverShareABlock) {
  ReusingAllocator allocator(*c10::GetDefaultCPUAllocator());
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&allocator, number] {
      for (int i = 0; i < 500; ++i) {
        c10::DataPtr block = allocator.allocate(kMegabyte + static_cast<std::size_t>(i % 3) * kMegabyte);
        auto* const bytes = static_cast<unsigned char*>(block.mutable_get());
        for (std::size_t at = 0; at < kMegabyte; at += 4096) bytes[at] = static_cast<unsigned char>(number);
        std::this_thread::yield();
        for (std::size_t at = 0; at < kMegabyte; at += 4096) ASSERT_EQ(bytes[at], number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(allocator.held(), 14 * kMegabyte);
}

}  // namespace
}  // namespace cosformer::train
