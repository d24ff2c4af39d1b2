#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cosformer::test {

/// The system calls by which something in a folder changes, and the opening of a folder to sync it.
enum class Call { kOpen, kWrite, kSync, kClose, kRename, kMakeFolder, kUnlink, kRemoveFolder };
const char* name_of(Call call);

/// A call as it was made.
struct Event {
  Call call{};
  std::string path, to{};  ///< below the watched folder; `to` of a rename
  int file = -1;           ///< descriptor of open, write, sync and close
  bool creates = false, truncates = false;
  std::string bytes{};  ///< that a write took
  bool done = true;     ///< whether it took effect
  int completed = 0;    ///< what Watch::complete had counted
};

/// What goes wrong at a call, counted from 0.
struct Fault {
  enum Kind {
    kFail,       ///< it is not done
    kFailDone,   ///< it is done, and said not to be
    kFailEver,   ///< nor any one after it; on a full disk removing goes on
    kShort,      ///< a write takes half of what it is given
    kShortFail,  ///< and the next call fails
    kKillBefore,
    kKillAmid,  ///< half of a write is done
    kKillAfter,
  };
  Kind kind;
  std::size_t at;
  int error = 0;
};

/// While it lives, records the calls below a folder of a program that is linked with the target
/// cosformer_faults, and lets one of them go wrong. Nothing is really synced. One at a time, of one thread.
class Watch {
 public:
  explicit Watch(std::filesystem::path folder, std::optional<Fault> fault = std::nullopt);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// One more thing is done and must not be lost from here on.
  void complete() { ++completed_; }
  int completed() const { return completed_; }
  const std::vector<Event>& events() const { return events_; }

  /// For the wrapped calls alone. Path below the folder, none elsewhere.
  std::optional<std::string> below(const char* path) const;
  bool has(int file) const { return files_.contains(file); }
  void opened(int file, const std::string& path) { files_[file] = path; }
  void closed(int file) { files_.erase(file); }
  /// Decides and records; `act` makes the real call and returns its result.
  template <class Act>
  long handle(Event event, const Act& act);

 private:
  int error_for(const Event& event) const;

  std::string folder_;
  std::optional<Fault> fault_;
  int completed_ = 0;
  std::vector<Event> events_;
  std::map<int, std::string> files_;
};

}  // namespace cosformer::test
