// io::write_file and io::make_folder under errors, kills and power losses at each of their system calls.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cosformer/error.h"
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

/// Writes the file anew with one error at the call of that number.
void write_with(const fs::path& folder, std::size_t at, int error) {
  Watch watch(folder, test::Fault{test::Fault::kFail, at, error});
  write_new(folder / "file");
}

/// The numbers of the calls by which write_file writes and closes its file.
std::vector<std::size_t> calls_on_the_file(const fs::path& folder, test::Call call) {
  Watch watch(folder);
  write_new(folder / "file");
  std::vector<std::size_t> found;
  int file = -1;
  for (std::size_t at = 0; at < watch.events().size(); ++at) {
    const test::Event& event = watch.events()[at];
    if (event.call == test::Call::kOpen && event.creates) file = event.file;
    if (event.call == call && event.file == file) found.push_back(at);
    if (event.call == test::Call::kClose && event.file == file) break;  // the number may be given out again
  }
  return found;
}

TEST_F(IoFaults, AFailedCloseOfTheFileIsAnError) {
  const test::TemporaryFolder folder;
  const std::vector<std::size_t> closes = calls_on_the_file(folder.path(), test::Call::kClose);
  ASSERT_EQ(closes.size(), 1U);
  for (const int error : {EIO, ENOSPC, EDQUOT}) {
    write_file(folder.path() / "file", kOld);
    EXPECT_THROW(write_with(folder.path(), closes[0], error), IoError) << std::strerror(error);
    EXPECT_EQ(test::read_text(folder.path() / "file"), kOld);
  }
}

TEST_F(IoFaults, InterruptedCallsAreNoErrors) {
  const test::TemporaryFolder folder;
  for (const test::Call call : {test::Call::kWrite, test::Call::kClose}) {
    const std::vector<std::size_t> calls = calls_on_the_file(folder.path(), call);
    ASSERT_FALSE(calls.empty());
    for (const std::size_t at : calls) {
      write_file(folder.path() / "file", kOld);
      EXPECT_NO_THROW(write_with(folder.path(), at, EINTR)) << name_of(call) << ' ' << at;
      EXPECT_EQ(test::read_text(folder.path() / "file"), kNew);
    }
  }
}

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
