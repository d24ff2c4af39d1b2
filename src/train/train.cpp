#include "train/train.h"

#include <torch/version.h>

#include "cosformer/isa.h"
#include "io/build_info.h"
#include "train/ranks/team.h"
#include "train/run.h"
#include "train/run_folder.h"
#include "train/schedule.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

data::Sequences read(const Recipe& recipe, const std::string& split, const data::Tokenizer& tokenizer,
                     int64_t least_tokens) {
  return {data::read_split(recipe.data.path, data::parse_format(recipe.data.format), split, tokenizer,
                           least_tokens),
          recipe.train.sequence_length};
}

/// The ranks to join. One process that a launcher has started is a rank on a GPU, so that NCCL's path begins
/// with one; on the CPU, and where passes are captured, it is none.
std::optional<RankEnvironment> ranks_of(const Recipe& recipe) {
  std::optional<RankEnvironment> environment = rank_environment();
  const bool may_be_alone = recipe.train.device == "cpu" || recipe.train.cuda_graphs;
  if (environment && environment->count == 1 && may_be_alone) environment.reset();
  return environment;
}

/// All that the ranks' results depend on.
void require_equal(Team& team, Recipe recipe) {
  // These may differ from host to host.
  recipe.data.path.clear();
  recipe.threads = 0;
  team.require_equal("recipe", to_toml(recipe));
  team.require_equal("build", std::string("cosformer ") + io::version() + ", commit " + io::commit() +
                                  ", LibTorch " TORCH_VERSION);
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
  Team team(recipe, ranks_of(recipe));
  try {
    require_equal(team, recipe);
    std::optional<RunFolder> run_folder;
    if (team.is_first()) run_folder.emplace(folder, recipe, tokenizer, options.resume);
    const TrainObserver silent{[](const TrainProgress&) {}, [](const std::string&) {}};
    const TrainObserver& told = team.is_first() ? observer : silent;
    for (const std::string& note : schedule_notes(recipe.schedule, recipe.train.steps)) told.on_note(note);
    Run run(recipe, folder, tokenizer, std::move(train), std::move(valid), options, told, team);
    if (run_folder) run_folder->begin(recipe, tokenizer);
    const TrainResult result = run.run(stop);
    if (run_folder) run_folder->write_run_record(recipe);
    return result;
  } catch (const RankError&) {
    throw;
  } catch (const std::exception& error) {
    const std::string message = error.what();
    team.give_up(message.substr(0, message.find('\n')));
    throw;
  }
}

}  // namespace cosformer::train
