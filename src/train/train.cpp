#include "train/train.h"

#include "cosformer/isa.h"
#include "train/run.h"
#include "train/run_folder.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

data::Sequences read(const Recipe& recipe, const std::string& split, const data::Tokenizer& tokenizer,
                     int64_t least_tokens) {
  return {data::read_split(recipe.data.path, data::parse_format(recipe.data.format), split, tokenizer,
                           least_tokens),
          recipe.train.sequence_length};
}

}  // namespace

TrainResult train(Recipe recipe, const fs::path& folder, const TrainOptions& options,
                  const TrainObserver& observer) {
  const StopSignal stop;
  selected_isa();  // one that is unknown or absent is an error before anything is written
  const auto tokenizer = data::Tokenizer::of_data(recipe.data.path, data::parse_format(recipe.data.format));
  recipe.model.vocabulary_size = tokenizer.vocabulary_size();
  data::Sequences train = read(recipe, "train", tokenizer, recipe.train.sequence_length + 1);
  data::Sequences valid = read(recipe, "valid", tokenizer, 2);
  const RunFolder run_folder(folder, recipe, options.resume);
  run_folder.begin(recipe, tokenizer);
  Run run(recipe, folder, tokenizer, std::move(train), std::move(valid), options, observer);
  const TrainResult result = run.run(stop);
  run_folder.write_run_record(recipe.threads);
  return result;
}

}  // namespace cosformer::train
