#include "train/background_jobs.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "support/errors.h"

namespace cosformer::train {
namespace {

TEST(BackgroundJobs, RunInOrderOnOneOtherThread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  BackgroundJobs jobs;
  for (int i = 0; i < 100; ++i) {
    jobs.post([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  }
  jobs.wait();
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  for (const auto thread : threads) EXPECT_EQ(thread, threads[0]);
  EXPECT_NE(threads[0], std::this_thread::get_id());
  jobs.wait();  // Nothing to wait for.
}

TEST(BackgroundJobs, PostingDoesNotWait) {
  std::promise<void> go_on;
  std::atomic<int> done = 0;
  BackgroundJobs jobs;
  jobs.post([&] {
    go_on.get_future().wait();
    ++done;
  });
  jobs.post([&] { ++done; });
  EXPECT_EQ(done, 0);
  go_on.set_value();  // Had `post` waited, this would never be reached.
  jobs.wait();
  EXPECT_EQ(done, 2);
}

TEST(BackgroundJobs, AFailureComesOutOnceAndDropsWhatWasPostedBehindIt) {
  std::promise<void> go_on;
  bool behind = false, afterwards = false;
  BackgroundJobs jobs;
  jobs.post([&] {
    go_on.get_future().wait();
    throw std::runtime_error("disk full");
  });
  jobs.post([&] { behind = true; });
  go_on.set_value();
  EXPECT_EQ(test::message_of<std::runtime_error>([&] { jobs.wait(); }), "disk full");
  EXPECT_FALSE(behind);
  jobs.post([&] { afterwards = true; });
  jobs.wait();
  EXPECT_TRUE(afterwards);
}

TEST(BackgroundJobs, AFailureComesOutOfThePostThatFollows) {
  const auto held = std::make_shared<int>(1);
  BackgroundJobs jobs;
  jobs.post([held] { throw std::runtime_error("disk full"); });
  while (held.use_count() > 1) std::this_thread::yield();
  const auto post_until_thrown = [&] {
    for (;;) jobs.post([] {});
  };
  EXPECT_EQ(test::message_of<std::runtime_error>(post_until_thrown), "disk full");
}

TEST(BackgroundJobs, WhatAJobHoldsIsFreeWhenTheWaitEnds) {
  auto copy = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = copy;
  BackgroundJobs jobs;
  jobs.post([copy = std::move(copy)] { (void)*copy; });
  jobs.wait();
  EXPECT_TRUE(seen.expired());
}

TEST(BackgroundJobs, WhatAJobHoldsIsNotCopied) {
  struct Tensors {
    explicit Tensors(int& count) : copies(&count) {}
    Tensors(Tensors&&) = default;
    Tensors(const Tensors& other) : copies(other.copies) { ++*copies; }
    int* copies;
  };
  int copies = 0;
  BackgroundJobs jobs;
  jobs.post([tensors = Tensors(copies)] { (void)tensors; });
  jobs.wait();
  EXPECT_EQ(copies, 0);
}

TEST(BackgroundJobs, TheEndFinishesWhatWasPosted) {
  std::atomic<int> done = 0;
  {
    BackgroundJobs jobs;
    for (int i = 0; i < 10; ++i) {
      jobs.post([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ++done;
      });
    }
  }
  EXPECT_EQ(done, 10);
  {
    BackgroundJobs jobs;
    jobs.post([] { throw std::runtime_error("unseen"); });
  }
}

}  // namespace
}  // namespace cosformer::train
