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
/// A checkpoint is written in a folder beside its place, synced and renamed: it is whole or absent.
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

  /// Then removes all later ones, which a run that went on from an earlier step has made void, and the
  /// oldest.
  /// @throws IoError; every checkpoint that was there before is still there, unless it is of the same step
  void save(int64_t step, const std::vector<io::TensorBytes>& tensors, const std::string& state) const;

  /// The newest checkpoint that is whole, none where there is no checkpoint at all.
  /// @param on_damage called with one line for each newer one that is not
  /// @throws IoError; FormatError if none of them is whole, or one is of a newer format version
  std::optional<StoredCheckpoint> load_newest(const std::function<void(const std::string&)>& on_damage) const;

  /// Ascending.
  std::vector<int64_t> steps() const;

 private:
  std::filesystem::path path(int64_t step) const;

  std::filesystem::path folder_;
  int64_t keep_;
};

}  // namespace cosformer::train
