#include "train/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace cosformer::train {
namespace {

TEST(StopSignal, NotesTheFirst) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const StopSignal stop;
    EXPECT_EQ(stop.received(), nullptr);
    std::raise(signal);
    EXPECT_STREQ(stop.received(), signal == SIGINT ? "SIGINT" : "SIGTERM");
  }
}

TEST(StopSignalDeathTest, TheSecondEndsTheProcess) {
  for (const int second : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          const StopSignal stop;
          std::raise(SIGINT);
          std::raise(second);
        },
        testing::KilledBySignal(second), "");
  }
}

}  // namespace
}  // namespace cosformer::train
