#include "faults/inject.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cosformer/error.h"

namespace cosformer::test {
namespace {

namespace fs = std::filesystem;

struct Error {
  Fault::Kind kind;
  int error;
};

std::vector<Error> errors_of(Call call) {
  std::vector<Error> errors = {{Fault::kFail, EIO},
                               {Fault::kFail, ENOSPC},
                               {Fault::kFail, ESTALE},
                               {Fault::kFailEver, EIO},
                               {Fault::kFailEver, ENOSPC}};
  const auto also = [&](Fault::Kind kind, int error) { errors.push_back({kind, error}); };
  switch (call) {
    case Call::kOpen:
      also(Fault::kFail, EMFILE);
      break;
    case Call::kWrite:
      also(Fault::kFail, EDQUOT);
      also(Fault::kFail, EINTR);
      also(Fault::kShort, 0);
      also(Fault::kShortFail, ENOSPC);
      also(Fault::kShortFail, EIO);
      break;
    case Call::kSync:
      also(Fault::kFail, EDQUOT);
      break;
    case Call::kClose:
      also(Fault::kFail, EDQUOT);
      also(Fault::kFail, EINTR);
      break;
    case Call::kRename:
      also(Fault::kFail, EXDEV);
      also(Fault::kFailDone, ENOENT);
      also(Fault::kFailDone, ESTALE);
      break;
    case Call::kMakeFolder:
      also(Fault::kFailDone, EEXIST);
      also(Fault::kFailDone, ESTALE);
      break;
    case Call::kUnlink:
    case Call::kRemoveFolder:
      also(Fault::kFailDone, ENOENT);
      also(Fault::kFailDone, ESTALE);
      break;
  }
  return errors;
}

const char* kind_name(Fault::Kind kind) {
  static constexpr const char* kNames[] = {
      "error",          "error though done", "error from then on", "short write", "short write, then error",
      "SIGKILL before", "SIGKILL amid",      "SIGKILL after"};
  return kNames[kind];
}

}  // namespace

fs::path fastest_folder() {
  return ::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::path(testing::TempDir());
}

Injector::Injector(fs::path scratch, std::size_t every, std::size_t cuts, std::size_t limit)
    : scratch_(std::move(scratch)),
      folder_(scratch_ / "disturbed"),
      every_(every),
      cuts_(cuts),
      limit_(limit) {
  fs::create_directories(scratch_);
}

Injector::~Injector() {
  std::error_code ignored;
  fs::remove_all(scratch_, ignored);
}

std::size_t Injector::total() const {
  std::size_t total = 0;
  for (const auto& [kind, count] : counts_) total += count;
  return total;
}

std::vector<Event> Injector::record(const Subject& subject, int& completed) {
  write_tree({}, folder_);
  subject.prepare(folder_);
  prepared_ = read_tree(folder_);
  Watch watch(folder_);
  subject.act(folder_, watch);
  completed = watch.completed();
  Disk disk(prepared_);
  for (const Event& event : watch.events()) disk.apply(event);
  EXPECT_EQ(disk.now(), read_tree(folder_)) << subject.name << ": something else has written";
  return watch.events();
}

void Injector::fail(const Subject& subject, const Fault& fault, Call call) {
  SCOPED_TRACE(subject.name + ": " + kind_name(fault.kind) + " at call " + std::to_string(fault.at) + ' ' +
               name_of(call) + ": " + (fault.error ? std::strerror(fault.error) : ""));
  write_tree(prepared_, folder_);
  int completed = 0;
  {
    Watch watch(folder_, fault);
    try {
      subject.act(folder_, watch);
    } catch (const IoError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    } catch (...) {
      ADD_FAILURE() << "another error than an IoError";
    }
    completed = watch.completed();
  }
  ++counts_[std::string(kind_name(fault.kind)) + ": " + name_of(call)];
  subject.check(folder_, completed);
}

void Injector::fail_each_call(const Subject& subject) {
  int completed = 0;
  const std::vector<Event> events = record(subject, completed);
  for (std::size_t at = 0; at < events.size(); at += every_) {
    for (const auto& [kind, error] : errors_of(events[at].call)) {
      fail(subject, {kind, at, error}, events[at].call);
      if (testing::Test::HasFailure()) return;
    }
  }
}

void Injector::kill(const Subject& subject, const Fault& fault, int completed) {
  write_tree(prepared_, folder_);
  const pid_t child = ::fork();
  if (child == 0) {
    Watch watch(folder_, fault);
    subject.act(folder_, watch);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  ++counts_[kind_name(fault.kind)];
  subject.check(folder_, completed);
}

void Injector::kill_at_each_call(const Subject& subject) {
  int completed = 0;
  const std::vector<Event> events = record(subject, completed);
  for (std::size_t at = 0; at < events.size(); at += every_) {
    for (const Fault::Kind kind : {Fault::kKillBefore, Fault::kKillAmid, Fault::kKillAfter}) {
      if (kind == Fault::kKillAmid && events[at].call != Call::kWrite) continue;
      SCOPED_TRACE(subject.name + ": " + kind_name(kind) + " call " + std::to_string(at) + ' ' +
                   name_of(events[at].call));
      kill(subject, {kind, at}, events[at].completed);
      if (testing::Test::HasFailure()) return;
    }
  }
}

void Injector::lose_power_now(const Subject& subject, const Disk& disk, int completed,
                              const std::string& kind) {
  for (const Tree& tree : disk.after_power_loss(limit_, random_)) {
    write_tree(tree, folder_);
    ++counts_[kind];
    subject.check(folder_, completed);
    if (!testing::Test::HasFailure()) continue;
    for (const auto& [name, bytes] : tree) {
      std::printf("  %s %s\n", name.c_str(), bytes ? std::to_string(bytes->size()).c_str() : "folder");
    }
    return;
  }
}

void Injector::lose_power(const Subject& subject) {
  int completed = 0;
  const std::vector<Event> events = record(subject, completed);
  Disk disk(prepared_);
  for (std::size_t cut = 0; cut <= events.size() && !testing::Test::HasFailure(); ++cut) {
    const bool is_end = cut == events.size();
    SCOPED_TRACE(subject.name + ": power loss before call " + std::to_string(cut) + ' ' +
                 (is_end ? "(end)" : name_of(events[cut].call)));
    if (is_end || cut % every_ == 0) {
      lose_power_now(subject, disk, is_end ? completed : events[cut].completed, "power loss");
    }
    if (!is_end) disk.apply(events[cut]);
  }
}

void Injector::fail_and_lose_power(const Subject& subject) {
  int completed = 0;
  const std::vector<Event> events = record(subject, completed);
  for (std::size_t at = 0; at < events.size() && !testing::Test::HasFailure(); at += every_) {
    write_tree(prepared_, folder_);
    SCOPED_TRACE(subject.name + ": power loss after call " + std::to_string(at) + ' ' +
                 name_of(events[at].call) + " failed");
    Disk disk(prepared_);
    {
      Watch watch(folder_, Fault{Fault::kFail, at, EIO});
      try {
        subject.act(folder_, watch);
      } catch (const IoError&) {
      }
      completed = watch.completed();
      for (const Event& event : watch.events()) disk.apply(event);
    }
    lose_power_now(subject, disk, completed, "error, then power loss");
  }
}

void Injector::kill_and_lose_power(const Subject& subject) {
  int completed = 0;
  const std::vector<Event> events = record(subject, completed);
  Disk killed(prepared_);
  for (std::size_t at = 0; at < events.size() && !testing::Test::HasFailure(); ++at) {
    killed.apply(events[at]);
    if (at % every_ != 0) continue;
    Disk disk = killed;
    disk.end_process();
    write_tree(disk.now(), folder_);
    std::vector<Event> again;
    {
      Watch watch(folder_);
      subject.act(folder_, watch);
      completed = watch.completed();
      again = watch.events();
    }
    const int before = at + 1 < events.size() ? events[at + 1].completed : events[at].completed;
    for (std::size_t cut = 0; cut <= again.size() && !testing::Test::HasFailure(); ++cut) {
      const bool is_end = cut == again.size();
      SCOPED_TRACE(subject.name + ": killed after call " + std::to_string(at) + ", power loss before call " +
                   std::to_string(cut) + " of the second process");
      if (is_end || cut % (every_ * cuts_) == at % cuts_) {
        lose_power_now(subject, disk, std::max(before, is_end ? completed : again[cut].completed),
                       "SIGKILL, then power loss");
      }
      if (!is_end) disk.apply(again[cut]);
    }
  }
}

}  // namespace cosformer::test
