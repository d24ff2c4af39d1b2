#include "train/run_folder.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cosformer/error.h"
#include "cosformer/nn/model_folder.h"
#include "io/atomic_file.h"
#include "io/build_info.h"
#include "io/folder.h"
#include "io/mapped_file.h"
#include "train/machine.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

const fs::path& made(const fs::path& folder) {
  io::make_folder(folder);
  return folder;
}

}  // namespace

Recipe read_run_recipe(const fs::path& folder) {
  try {
    return read_recipe(folder / "recipe.toml", {});
  } catch (const RecipeError& error) {
    throw FormatError(error.what());
  }
}

RunFolder::RunFolder(const fs::path& folder, const Recipe& recipe, const data::Tokenizer& tokenizer,
                     bool resume)
    : path_(folder), lock_(made(folder)) {
  constexpr std::array kMarks = {"recipe.toml", "metrics.jsonl", "model.safetensors", "checkpoints"};
  const bool holds_run =
      std::any_of(kMarks.begin(), kMarks.end(), [&](const char* name) { return fs::exists(folder / name); });
  if (holds_run && !resume) {
    throw FormatError(folder.string() +
                      ": expected a folder without a run; --resume continues the one there");
  }
  for (const fs::path& place : {folder, folder / "best"}) io::remove_partial_files(place);
  // A checkpoint without its recipe is not continued.
  if (fs::exists(folder / "recipe.toml") || fs::exists(folder / "checkpoints")) {
    if (const auto conflict = find_conflict(read_run_recipe(folder), recipe))
      throw FormatError(folder.string() + ": cannot be continued by another recipe: " + *conflict);
  }
  const fs::path words = folder / data::kVocabularyFile;
  if (tokenizer.vocabulary() && fs::exists(words) &&
      data::Vocabulary::load(folder) != *tokenizer.vocabulary()) {
    throw FormatError(words.string() + ": expected the words of " + recipe.data.path + ", got others");
  }
}

void RunFolder::begin(const Recipe& recipe, const data::Tokenizer& tokenizer) const {
  // Nor is one without its words.
  if (tokenizer.vocabulary() && fs::exists(path_ / "checkpoints")) data::Vocabulary::load(path_);
  // recipe.toml makes it a run.
  io::write_file(path_ / "recipe.toml", to_toml(recipe));
  nn::save_config(recipe.model, path_);
  tokenizer.save(path_);
  io::make_folder(path_ / "best");
  write_run_record(recipe);
}

void RunFolder::write_run_record(const Recipe& recipe) const {
  const fs::path file = path_ / "run.json";
  int64_t peak = peak_bytes();
  if (fs::exists(file)) {
    const auto before = nlohmann::json::parse(io::MappedFile(file).text(), nullptr, false);
    if (before.is_object() && before.contains("peak_bytes") && before["peak_bytes"].is_number_integer()) {
      peak = std::max(peak, before["peak_bytes"].get<int64_t>());
    }
  }
  const nlohmann::ordered_json record = {{"version", io::version()},
                                         {"commit", io::commit()},
                                         {"machine", machine_json(recipe)},
                                         {"peak_bytes", peak}};
  io::write_file(file, record.dump(2) + '\n');
}

}  // namespace cosformer::train
