// io::write_file and io::make_folder under errors, kills and power losses at each of their system calls.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "faults/inject.h"
#include "io/atomic_file.h"
#include "io/folder.h"
#include "support/temporary_folder.h"

namespace cosformer::io {
namespace {

namespace fs = std::filesystem;
using test::Subject;
using test::Watch;

const std::string kOld(5000, 'o'), kNew(9000, 'n');

void write_new(const fs::path& file) {
  const std::span<const std::byte> all = std::as_bytes(std::span(kNew));
  const std::vector<std::span<const std::byte>> parts = {all.first(8500), all.subspan(8500)};
  write_file(file, parts);
}

/// Writes a file in place of another or none, perhaps in a new folder.
Subject writing(const std::string& name, const std::string& file, bool is_there) {
  return {name,
          [=](const fs::path& folder) {
            if (is_there) write_file(folder / file, kOld);
          },
          [=](const fs::path& folder, Watch& watch) {
            make_folder((folder / file).parent_path());
            write_new(folder / file);
            watch.complete();
          },
          [=](const fs::path& folder, int completed) {
            const test::Tree tree = test::read_tree(folder);
            const std::string got = tree.contains(file) ? *tree.at(file) : "";
            const bool is_old = tree.contains(file) ? got == kOld : !is_there;
            EXPECT_TRUE(got == kNew || (completed == 0 && is_old)) << got.size() << " bytes";
            const Watch unsynced(folder);
            make_folder((folder / file).parent_path());
            write_new(folder / file);
            EXPECT_EQ(test::read_text(folder / file), kNew);
          }};
}

class IoFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    injector_ = std::make_unique<test::Injector>(
        test::fastest_folder() / ("cosformer.io_faults." + std::to_string(::getpid())), 1, 1, 64);
  }
  static void TearDownTestSuite() {
    for (const auto& [kind, count] : injector_->counts()) std::printf("%8zu  %s\n", count, kind.c_str());
    std::printf("%8zu  faults injected into write_file and make_folder\n", injector_->total());
    injector_.reset();
  }
  inline static std::unique_ptr<test::Injector> injector_;
  const std::vector<Subject> subjects_ = {writing("a new file", "file", false),
                                          writing("an old file", "file", true),
                                          writing("in new folders", "a/b/file", false)};
};

TEST_F(IoFaults, Errors) {
  for (const Subject& each : subjects_) injector_->fail_each_call(each);
}
TEST_F(IoFaults, Kills) {
  for (const Subject& each : subjects_) injector_->kill_at_each_call(each);
}
TEST_F(IoFaults, PowerLosses) {
  for (const Subject& each : subjects_) injector_->lose_power(each);
}
TEST_F(IoFaults, ErrorsThenPowerLosses) {
  for (const Subject& each : subjects_) injector_->fail_and_lose_power(each);
}

}  // namespace
}  // namespace cosformer::io
