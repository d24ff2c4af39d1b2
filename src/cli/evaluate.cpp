// cosformer evaluate DIR: the loss of a model over a split of its data, as one line of JSON.

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>

#include "cli/device_flag.h"
#include "cli/verbs.h"
#include "cli/weights_flag.h"
#include "data/tokens.h"
#include "train/device.h"
#include "train/evaluation.h"
#include "train/run_folder.h"
#include "train/set_up.h"

namespace cosformer::cli {
namespace {

struct Flags {
  std::string folder, split = "test", data_path;
  std::string weights = "best", device;
  int64_t sequence_length = 0;  ///< 0 = that of the training
};

void run(const Flags& flags) {
  const std::filesystem::path folder = flags.folder;
  nn::LanguageModel model = nn::load_model(folder, which_weights(flags.weights));
  const train::Recipe recipe = train::read_run_recipe(folder);
  torch::set_num_threads(static_cast<int>(recipe.threads));
  model->to(train::open_device(flags.device.empty() ? recipe.train.device : flags.device));
  const data::Format format = data::parse_format(recipe.data.format);
  const auto tokenizer = data::Tokenizer::load(folder, format, model->config().vocabulary_size);
  const std::string path = flags.data_path.empty() ? recipe.data.path : flags.data_path;
  const int64_t length = flags.sequence_length > 0 ? flags.sequence_length : recipe.train.sequence_length;
  const data::Sequences sequences(data::read_split(path, format, flags.split, tokenizer, 2), length);
  model->check_positions(0, std::min(length, sequences.predicted()));
  const double loss =
      train::evaluate(model, sequences, recipe.train.batch_size, train::forward_options(recipe).precision);
  nlohmann::ordered_json line = {{"split", flags.split}, {"loss", loss}, {"tokens", sequences.predicted()}};
  if (tokenizer.vocabulary()) {
    line["perplexity"] = std::exp(loss);
  } else {
    line["bits_per_byte"] = loss / std::numbers::ln2;
  }
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* verb = app.add_subcommand("evaluate", "measure a model's loss over a split of its data");
  auto flags = std::make_shared<Flags>();
  verb->add_option("model", flags->folder, "folder of a run")->required();
  verb->add_option("--split", flags->split, "train, valid or test")
      ->check(CLI::IsMember({"train", "valid", "test"}))
      ->capture_default_str();
  add_weights(*verb, flags->weights);
  add_device(*verb, flags->device);
  verb->add_option("--data.path", flags->data_path, "folder of the data, where it is not the run's own");
  verb->add_option("--sequence_length", flags->sequence_length, "tokens, where it is not the training's")
      ->check(CLI::PositiveNumber);
  verb->callback([flags] { run(*flags); });
}

}  // namespace cosformer::cli
