#pragma once

#include <filesystem>

#include "data/tokenizer.h"
#include "io/folder_lock.h"
#include "train/recipe.h"

namespace cosformer::train {

/// The recipe of a run.
/// @throws FormatError
Recipe read_run_recipe(const std::filesystem::path& folder);

/// A run's folder: recipe.toml, config.json, vocabulary.txt (words), run.json, metrics.jsonl,
/// model.safetensors, best/ and checkpoints/. One process at a time writes in it.
class RunFolder {
 public:
  /// Makes the folder where it is absent.
  /// @param resume whether it may hold a run, which is then to be continued
  /// @throws IoError; FormatError if it holds a run and may not, or one of another recipe or other words
  RunFolder(const std::filesystem::path& folder, const Recipe& recipe, const data::Tokenizer& tokenizer,
            bool resume);

  /// Writes what is known before the first step, or again. @throws IoError, also where a run has lost its
  /// words
  void begin(const Recipe& recipe, const data::Tokenizer& tokenizer) const;

  /// run.json: version, commit, machine and the most memory that a process of the run has held.
  void write_run_record(const Recipe& recipe) const;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  io::FolderLock lock_;
};

}  // namespace cosformer::train
