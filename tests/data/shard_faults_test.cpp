// Shards whose making is broken off: by a signal, a full disk, a disk that takes nothing.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>
#include <thread>

#include "cosformer/error.h"
#include "data/make_shards.h"
#include "support/errors.h"
#include "support/small_disk.h"
#include "support/temporary_folder.h"

namespace cosformer::data {
namespace {

namespace fs = std::filesystem;

class ShardFaults : public test::FolderTest {
 protected:
  void SetUp() override {
    std::string text;
    for (int64_t i = 0; i < 60'000; ++i)
      text += "word" + std::to_string(i * i % 977) + (i % 9 == 8 ? "\n" : " ");
    write("text/train.txt", text);
  }
  ShardsMade make(Format format, const fs::path& to) const {
    return make_shards({folder_ / "text", format, {"train"}, format == Format::kBytes ? 30'000 : 4000}, 2, to,
                       [](std::size_t, std::size_t) {});
  }
  static std::map<std::string, std::string> content(const fs::path& in) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(in)) {
      if (entry.is_regular_file()) files[entry.path().lexically_relative(in)] = test::read_text(entry);
    }
    return files;
  }
};

TEST_F(ShardFaults, AKilledRunIsGoneOnWithToTheSameBytes) {
  for (const Format format : {Format::kBytes, Format::kWikitext}) {
    const fs::path whole = folder_ / (format == Format::kBytes ? "bytes" : "words"),
                   killed = whole / "killed";
    make(format, whole);
    const auto expected = content(whole);
    int ended = 0;
    for (int i = 0; i < 12; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        make(format, killed);
        ::_exit(0);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + 3 * i));
      ::kill(child, SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ended += WIFEXITED(status) ? 1 : 0;
    }
    EXPECT_LT(ended, 12) << "some must be broken off";
    make(format, killed);
    EXPECT_EQ(content(killed), expected);
  }
}

class ShardDisk : public ShardFaults {
 protected:
  void SetUp() override {
    if (disk_.error() != 0) GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(disk_.error());
    ShardFaults::SetUp();
  }
  const fs::path place_ = folder_ / "disk";
  const test::SmallDisk disk_{place_, "size=200k"};
};

TEST_F(ShardDisk, AFullOneIsNamedAndGoneOnWithOnceThereIsRoom) {
  const std::string error = test::message_of<IoError>([&] { make(Format::kBytes, place_ / "shards"); });
  EXPECT_NE(error.find("cannot write: No space left on device"), std::string::npos) << error;
  EXPECT_EQ(error.find((place_ / "shards/train/shard-").string()), 0U) << error;
  EXPECT_FALSE(fs::exists(place_ / "shards/index.json"));
  disk_.resize("size=10m");
  EXPECT_GT(make(Format::kBytes, place_ / "shards").kept, 0U);
  make(Format::kBytes, folder_ / "whole");
  EXPECT_EQ(content(place_ / "shards"), content(folder_ / "whole"));
}

TEST_F(ShardDisk, OneThatTakesNothingIsNamed) {
  disk_.make_read_only();
  const std::string error = test::message_of<IoError>([&] { make(Format::kBytes, place_ / "shards"); });
  EXPECT_EQ(error, (place_ / "shards").string() + ": cannot create: Read-only file system");
}

}  // namespace
}  // namespace cosformer::data
