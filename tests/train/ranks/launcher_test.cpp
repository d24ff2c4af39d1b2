#include "train/ranks/launcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "support/temporary_folder.h"

namespace cosformer::train {
namespace {

using std::chrono::milliseconds;

int launch(const std::string& script, int64_t count = 3, milliseconds patience = milliseconds(500)) {
  return launch_ranks({"/bin/sh", "-c", script}, count, patience);
}

TEST(Launcher, GivesEachRankItsPlace) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(launch("echo $RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR > " + path + "/$RANK"),
            0);
  EXPECT_EQ(test::read_text(folder.path() / "2"), "2 2 3 3 127.0.0.1\n");
  EXPECT_EQ(test::read_text(folder.path() / "0"), "0 0 3 3 127.0.0.1\n");
}

TEST(Launcher, OnlyRankZeroHasTheListener) {
  EXPECT_EQ(launch("if [ $RANK = 0 ]; then [ -S /proc/self/fd/$COSFORMER_LISTENER ]; else "
                   "[ -z \"$COSFORMER_LISTENER\" ]; fi"),
            0);
}

TEST(Launcher, SumsUpExitCodes) {
  EXPECT_EQ(launch("exit 3"), 3);
  EXPECT_EQ(launch("[ $RANK = 1 ] && exit 3; exit 0"), 3);
  EXPECT_EQ(launch("exit $RANK"), 1);
  EXPECT_EQ(launch("[ $RANK = 1 ] && kill -KILL $$; exit 3"), 1);
}

TEST(Launcher, EndsThoseThatDoNotEndThemselves) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(launch("[ $RANK = 1 ] && exit 1; exec sleep 60"), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Launcher, PassesSignalsOn) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path().string();
  // The thread must not take the signal in the launcher's place.
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  std::thread later([&] {
    for (const char* rank : {"0", "1", "2"}) {
      while (!std::filesystem::exists(folder.path() / rank)) std::this_thread::sleep_for(milliseconds(5));
    }
    ::kill(::getpid(), SIGTERM);
  });
  EXPECT_EQ(launch("trap 'exit 3' TERM; : > " + path + "/$RANK; while :; do sleep 0.05; done"), 3);
  later.join();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace cosformer::train
