// Linked with --wrap, calls of open, write, ... in this program's own objects come here as __wrap_open, ...,
// and
// __real_open, ... are the system's.
#include "faults/system_calls.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <utility>

namespace cosformer::test {
namespace {

Watch* watch = nullptr;

}  // namespace

const char* name_of(Call call) {
  static constexpr const char* kNames[] = {"open",   "write", "sync",   "close",
                                           "rename", "mkdir", "unlink", "rmdir"};
  return kNames[static_cast<int>(call)];
}

Watch::Watch(std::filesystem::path folder, std::optional<Fault> fault)
    : folder_(folder.string() + '/'), fault_(fault) {
  watch = this;
}

Watch::~Watch() {
  watch = nullptr;
}

std::optional<std::string> Watch::below(const char* path) const {
  const std::string text = path;
  if (text + '/' == folder_) return "";
  if (!text.starts_with(folder_)) return std::nullopt;
  return text.substr(folder_.size());
}

int Watch::error_for(const Event& event) const {
  const std::size_t at = events_.size();
  if (!fault_) return 0;
  const bool removes = event.call == Call::kUnlink || event.call == Call::kRemoveFolder;
  if (fault_->kind == Fault::kFailEver && at >= fault_->at) {
    return removes && fault_->error == ENOSPC ? 0 : fault_->error;
  }
  if (fault_->kind == Fault::kShortFail && at == fault_->at + 1) return fault_->error;
  return (fault_->kind == Fault::kFail || fault_->kind == Fault::kFailDone) && at == fault_->at
             ? fault_->error
             : 0;
}

template <class Act>
long Watch::handle(Event event, const Act& act) {
  const bool is_here = fault_ && events_.size() == fault_->at;
  const int error = error_for(event);
  const bool is_short = is_here && (fault_->kind == Fault::kShort || fault_->kind == Fault::kShortFail);
  if (is_here && fault_->kind == Fault::kKillBefore) std::raise(SIGKILL);
  event.done = error == 0 || fault_->kind == Fault::kFailDone;
  event.completed = completed_;
  if (event.call == Call::kWrite && (is_short || (is_here && fault_->kind == Fault::kKillAmid))) {
    event.bytes.resize((event.bytes.size() + 1) / 2);
  }
  long result = -1;
  // A descriptor is gone whatever closing it says.
  if (event.done || event.call == Call::kClose) result = act(event);
  if (is_here && (fault_->kind == Fault::kKillAmid || fault_->kind == Fault::kKillAfter)) std::raise(SIGKILL);
  if (event.call == Call::kOpen) event.file = static_cast<int>(result);
  if (error == 0 && result < 0) event.done = false;
  events_.push_back(std::move(event));
  if (error == 0) return result;
  errno = error;
  return -1;
}

}  // namespace cosformer::test

using cosformer::test::Call;
using cosformer::test::Event;
using cosformer::test::watch;

extern "C" {

int __real_open(const char* path, int flags, ...);
ssize_t __real_write(int file, const void* bytes, size_t size);
int __real_fsync(int file);
int __real_close(int file);
int __real_rename(const char* from, const char* to);
int __real_mkdir(const char* path, mode_t mode);
int __real_unlink(const char* path);
int __real_rmdir(const char* path);

int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  const bool changes = (flags & (O_ACCMODE | O_CREAT | O_DIRECTORY)) != 0;
  const auto below = watch && changes ? watch->below(path) : std::nullopt;
  if (!below) return __real_open(path, flags, mode);
  const Event event{.call = Call::kOpen,
                    .path = *below,
                    .creates = (flags & O_CREAT) != 0,
                    .truncates = (flags & O_TRUNC) != 0};
  return static_cast<int>(watch->handle(event, [&](const Event&) -> long {
    const int file = __real_open(path, flags, mode);
    if (file >= 0) watch->opened(file, *below);
    return file;
  }));
}

ssize_t __wrap_write(int file, const void* bytes, size_t size) {
  if (!watch || !watch->has(file)) return __real_write(file, bytes, size);
  const Event event{
      .call = Call::kWrite, .path = {}, .file = file, .bytes = {static_cast<const char*>(bytes), size}};
  return watch->handle(
      event, [&](const Event& as_done) -> long { return __real_write(file, bytes, as_done.bytes.size()); });
}

int __wrap_fsync(int file) {
  if (!watch || !watch->has(file)) return __real_fsync(file);
  return static_cast<int>(
      watch->handle({.call = Call::kSync, .path = {}, .file = file}, [](const Event&) -> long { return 0; }));
}

int __wrap_close(int file) {
  if (!watch || !watch->has(file)) return __real_close(file);
  return static_cast<int>(
      watch->handle({.call = Call::kClose, .path = {}, .file = file}, [&](const Event&) -> long {
        watch->closed(file);
        return __real_close(file);
      }));
}

int __wrap_rename(const char* from, const char* to) {
  const auto below = watch ? watch->below(from) : std::nullopt;
  if (!below) return __real_rename(from, to);
  return static_cast<int>(
      watch->handle({.call = Call::kRename, .path = *below, .to = watch->below(to).value_or("")},
                    [&](const Event&) -> long { return __real_rename(from, to); }));
}

int __wrap_mkdir(const char* path, mode_t mode) {
  const auto below = watch ? watch->below(path) : std::nullopt;
  if (!below) return __real_mkdir(path, mode);
  return static_cast<int>(watch->handle({.call = Call::kMakeFolder, .path = *below},
                                        [&](const Event&) -> long { return __real_mkdir(path, mode); }));
}

int __wrap_unlink(const char* path) {
  const auto below = watch ? watch->below(path) : std::nullopt;
  if (!below) return __real_unlink(path);
  return static_cast<int>(watch->handle({.call = Call::kUnlink, .path = *below},
                                        [&](const Event&) -> long { return __real_unlink(path); }));
}

int __wrap_rmdir(const char* path) {
  const auto below = watch ? watch->below(path) : std::nullopt;
  if (!below) return __real_rmdir(path);
  return static_cast<int>(watch->handle({.call = Call::kRemoveFolder, .path = *below},
                                        [&](const Event&) -> long { return __real_rmdir(path); }));
}
}
