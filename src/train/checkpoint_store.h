#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"

/// Checkpoints in a folder: step-00000100/ and so on, each with
///   state.safetensors  the tensors
///   state.json         everything else
///   manifest.json      format version, size and CRC-64 of both files, and a CRC-64 of its own
/// One that takes the place of another of the same step is step-00000100.2/, and so on. A folder whose name
/// begins with a dot is not yet or no longer a checkpoint: it is written there, synced and renamed, and
/// renamed before it is removed. So one is whole or absent, whenever the process or the machine stops.
namespace cosformer::train {

/// The newest version of the format, the only one so far.
inline constexpr int64_t kCheckpointVersion = 1;

struct StoredCheckpoint {
  int64_t step;
  std::string state;  ///< state.json
  io::Safetensors tensors;
};

class CheckpointStore {
 public:
  /// @param folder  made when the first checkpoint is saved
  /// @param keep    how many of the last to keep, at least 1
  CheckpointStore(std::filesystem::path folder, int64_t keep) : folder_(std::move(folder)), keep_(keep) {}

  /// Then removes one of the same step, all later ones, which a run that went on from an earlier step has
  /// made void, and the oldest.
  /// @throws IoError; every checkpoint that was there before, or this one, is there
  void save(int64_t step, const std::vector<io::TensorBytes>& tensors, const std::string& state) const;

  /// The newest checkpoint that is whole, none where there is no checkpoint at all.
  /// @param on_damage called with one line for each newer one that is not
  /// @throws IoError; FormatError if none of them is whole, or one is of a newer format version
  std::optional<StoredCheckpoint> load_newest(const std::function<void(const std::string&)>& on_damage) const;

  /// Ascending.
  std::vector<int64_t> steps() const;

 private:
  struct Entry {
    int64_t step, edition;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries() const;
  std::filesystem::path path(Entry entry) const;
  void hide(Entry entry) const;
  void remove_hidden() const;

  std::filesystem::path folder_;
  int64_t keep_;
};

}  // namespace cosformer::train
