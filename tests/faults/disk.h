#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "faults/system_calls.h"

namespace cosformer::test {

/// What lies below a folder: files with their bytes, folders with none.
using Tree = std::map<std::string, std::optional<std::string>>;
Tree read_tree(const std::filesystem::path& folder);
/// Empties the folder first.
void write_tree(const Tree& tree, const std::filesystem::path& folder);

/// A disk that has seen some calls, and what it may hold after the power fails then:
/// - of a file, the bytes of its last successful sync; of later ones all, none, or any pages, others being
///   zero or garbage, and the last one torn. After a sync that failed, no later one helps;
/// - of a folder's names, those of its last sync, and any of the later changes without the others. A rename
/// is
///   one change.
class Disk {
 public:
  /// All of it lasts.
  explicit Disk(const Tree& tree);

  void apply(const Event& event);
  /// Files that a process left open are closed.
  void end_process() { files_.clear(); }

  /// As programs see it.
  Tree now() const;
  /// All different trees of the rules above where there are no more than `limit` ways to choose; as many
  /// chosen at random else, and those where everything, nothing, all but one or one alone is kept.
  std::set<Tree> after_power_loss(std::size_t limit, std::mt19937_64& random) const;

 private:
  /// Names and what they lead to from then on, 0 for nothing.
  using Change = std::vector<std::pair<std::string, std::size_t>>;
  struct Node {
    bool is_folder;
    std::string data{}, durable_data{};
    bool is_dirty = false, sync_failed = false;
    std::map<std::string, std::size_t> names{}, durable_names{};
    std::vector<Change> changes{};  ///< since the folder's sync
  };
  /// For each change and each dirty file what is kept of it.
  struct Choice {
    std::vector<bool> changes;
    std::vector<int> data;
  };

  std::size_t add(bool is_folder);
  std::size_t find(const std::string& path) const;
  void change(const std::string& folder, const Change& change);
  Tree chosen(const Choice& choice, std::mt19937_64& random) const;

  std::vector<Node> nodes_;
  std::map<int, std::size_t> files_;
};

}  // namespace cosformer::test
