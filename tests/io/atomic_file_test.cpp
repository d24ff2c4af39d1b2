#include "io/atomic_file.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::io {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public test::FolderTest {
 protected:
  static std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  using Names = std::vector<std::string>;
};

/// While it lives, files of this process end at `bytes`: writing on fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*signal_)(int);
};

TEST_F(AtomicFile, WritesAndReplaces) {
  write_file(folder_ / "file", "first");
  EXPECT_EQ(test::read_text(folder_ / "file"), "first");
  write_file(folder_ / "file", "");
  EXPECT_EQ(test::read_text(folder_ / "file"), "");
  EXPECT_EQ(names_in(folder_), Names{"file"});
}

TEST_F(AtomicFile, JoinsParts) {
  const std::string a = "one ", none, b(100000, 'x');
  const std::vector<std::span<const std::byte>> parts = {
      std::as_bytes(std::span(a)), std::as_bytes(std::span(none)), std::as_bytes(std::span(b))};
  write_file(folder_ / "file", parts);
  EXPECT_EQ(test::read_text(folder_ / "file"), a + b);
}

TEST_F(AtomicFile, IsThereOnceItTakesItsPlace) {
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  {
    NewFile file(folder_ / "file");
    file.write(bytes("????two"));
    file.write(bytes("three"));
    file.write_at(0, bytes("one "));
    EXPECT_FALSE(fs::exists(folder_ / "file"));
    file.take_place();
  }
  EXPECT_EQ(test::read_text(folder_ / "file"), "one twothree");
  { NewFile(folder_ / "file").write(bytes("given up")); }
  EXPECT_EQ(test::read_text(folder_ / "file"), "one twothree");
  EXPECT_EQ(names_in(folder_), Names{"file"});
}

TEST_F(AtomicFile, TakesANameWithoutAFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  write_file("file", "here");
  fs::current_path(before);
  EXPECT_EQ(test::read_text(folder_ / "file"), "here");
}

TEST_F(AtomicFile, AFailedWriteLeavesTheOldContentAlone) {
  write_file(folder_ / "file", "old");
  {
    const FileSizeLimit limit(4096);
    EXPECT_EQ(test::message_of<IoError>([&] {
                write_file(folder_ / "file", std::string(5000, 'n'));
              }).find((folder_ / "file").string()),
              0U)
        << "the message begins with the file";
  }
  EXPECT_EQ(test::read_text(folder_ / "file"), "old");
  EXPECT_EQ(names_in(folder_), Names{"file"}) << "nothing beside it";
}

TEST_F(AtomicFile, AFullDiskLeavesTheOldContentAlone) {
  fs::create_directory(folder_ / "disk");
  if (::mount("none", (folder_ / "disk").c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "no small disk may be mounted here";
  }
  const auto file = folder_ / "disk/file";
  write_file(file, "old");
  const std::string message = test::message_of<IoError>([&] { write_file(file, std::string(100000, 'n')); });
  const std::string content = test::read_text(file);
  const Names names = names_in(folder_ / "disk");
  ASSERT_EQ(::umount((folder_ / "disk").c_str()), 0);
  EXPECT_NE(message.find("No space left on device"), std::string::npos) << message;
  EXPECT_EQ(content, "old");
  EXPECT_EQ(names, Names{"file"});
}

TEST_F(AtomicFile, ReadersSeeOldOrNew) {
  const auto file = folder_ / "file";
  const std::string contents[] = {std::string(200000, 'a'), std::string(300000, 'b')};
  write_file(file, contents[0]);
  std::atomic<bool> done = false;
  std::atomic<int> parts = 0, reads = 0;
  std::thread reader([&] {
    while (!done || reads == 0) {
      const std::string got = test::read_text(file);
      if (got != contents[0] && got != contents[1]) ++parts;
      ++reads;
    }
  });
  for (int i = 0; i < 50; ++i) write_file(file, contents[i % 2]);
  done = true;
  reader.join();
  EXPECT_EQ(parts, 0) << "of " << reads << " reads";
}

TEST_F(AtomicFile, RefusesWhatIsNoFile) {
  const auto name = [&](const char* file) { return (folder_ / file).string(); };
  EXPECT_NE(test::message_of<IoError>([&] {
              write_file(folder_ / "none/file", "x");
            }).find("No such file or directory"),
            std::string::npos);
  fs::create_directory(folder_ / "folder");
  EXPECT_EQ(test::message_of<IoError>([&] { write_file(folder_ / "folder", "x"); }),
            name("folder") + ": expected a file, got something else");
  ASSERT_EQ(::mkfifo(name("pipe").c_str(), 0600), 0);
  EXPECT_EQ(test::message_of<IoError>([&] { write_file(folder_ / "pipe", "x"); }),
            name("pipe") + ": expected a file, got something else");
  EXPECT_TRUE(fs::is_fifo(folder_ / "pipe")) << "a device would be gone from the system";
  EXPECT_EQ(names_in(folder_), (Names{"folder", "pipe"}));
}

TEST_F(AtomicFile, WhatAKilledWriterLeftIsRemoved) {
  for (const char* name :
       {"a.safetensors.partial-123", "a.safetensors", ".partial-", "b.partial-12x", "b.partial"}) {
    write(name, "x");
  }
  remove_partial_files(folder_);
  EXPECT_EQ(names_in(folder_), (Names{".partial-", "a.safetensors", "b.partial", "b.partial-12x"}));
  EXPECT_NO_THROW(remove_partial_files(folder_ / "none"));
}

}  // namespace
}  // namespace cosformer::io
