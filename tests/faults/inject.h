#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "faults/disk.h"
#include "faults/system_calls.h"

namespace cosformer::test {

/// Something that writes, whose files are to survive whatever happens.
struct Subject {
  std::string name;
  /// Fills an empty folder with what lasts.
  std::function<void(const std::filesystem::path&)> prepare;
  /// Is what is disturbed. Calls Watch::complete after each part that is not to be lost once it has returned.
  std::function<void(const std::filesystem::path&, Watch&)> act;
  /// What must hold then. @param completed how many parts had returned
  std::function<void(const std::filesystem::path&, int completed)> check;
};

/// Every fault below is injected on its own into a fresh copy of the prepared folder, and what the folder
/// holds afterwards is checked. Faults are counted by kind; the first that fails a check ends its call.
class Injector {
 public:
  /// @param every  of the calls only every n-th is disturbed
  /// @param cuts   after a kill, power fails at every n-th call alone, at others after each kill
  /// @param limit  of Disk::after_power_loss
  Injector(std::filesystem::path scratch, std::size_t every, std::size_t cuts, std::size_t limit);
  ~Injector();

  /// Errors at every call: nothing done, done and said not to be, a short write, no further call done. What
  /// `act` throws must be an IoError of one line.
  void fail_each_call(const Subject& subject);
  /// SIGKILL before, amid and after every call.
  void kill_at_each_call(const Subject& subject);
  /// Power fails between any two calls.
  void lose_power(const Subject& subject);
  /// A call fails, and later the power; what a failed sync has not written stays unwritten.
  void fail_and_lose_power(const Subject& subject);
  /// SIGKILL, then `act` once more from its beginning, in which the power fails.
  void kill_and_lose_power(const Subject& subject);

  /// Faults by kind.
  const std::map<std::string, std::size_t>& counts() const { return counts_; }
  std::size_t total() const;

 private:
  /// Also that nothing changes unrecorded.
  std::vector<Event> record(const Subject& subject, int& completed);
  void fail(const Subject& subject, const Fault& fault, Call call);
  void kill(const Subject& subject, const Fault& fault, int completed);
  void lose_power_now(const Subject& subject, const Disk& disk, int completed, const std::string& kind);

  std::filesystem::path scratch_, folder_;
  std::size_t every_, cuts_, limit_;
  Tree prepared_;
  std::mt19937_64 random_{1};
  std::map<std::string, std::size_t> counts_;
};

/// A folder in memory where there is one, else the system's for temporary files.
std::filesystem::path fastest_folder();

}  // namespace cosformer::test
