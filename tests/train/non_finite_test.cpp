#include <algorithm>

#include "cosformer/error.h"
#include "cosformer/nn/model_folder.h"
#include "io/safetensors.h"
#include "train/device.h"
#include "train/replay.h"
#include "train/runs_on.h"
#include "train/trainer.h"

namespace cosformer::train::test {
namespace {

/// Runs from a model of the recipe that `change` has changed.
class NonFiniteRuns : public RunsOn {
 protected:
  void begin_with(const std::function<void(nn::LanguageModelImpl&)>& change) {
    recipe_.model.tie_embeddings = false;
    nn::LanguageModelConfig config = recipe_.model;
    config.vocabulary_size = 256;
    torch::manual_seed(1);
    nn::LanguageModel model(config);
    const torch::NoGradGuard no_gradients;
    change(*model);
    initial_model_ = path("initial");
    fs::create_directories(initial_model_);
    nn::save_weights(*model, nn::weights_path(initial_model_, nn::Weights::kLast));
  }
  /// A batch with the letter Z has a loss that is not a number, and a gradient that reaches nothing but Z.
  void make_z_poisonous() {
    begin_with([](nn::LanguageModelImpl& model) {
      model.named_parameters()["embedding.weight"]['Z'].fill_(std::numeric_limits<float>::quiet_NaN());
    });
  }
  /// What the run throws, without what comes after the place; and that a replay says the same.
  std::string place_of(const std::string& name) {
    const std::string text = message_of<TrainingError>([&] { run(name); });
    const fs::path aside = path(name) / "non_finite_step.safetensors";
    EXPECT_NE(text.find("; cosformer train --replay " + aside.string() + " repeats it"), std::string::npos);
    const std::string place = text.substr(0, text.find("; "));
    EXPECT_EQ(message_of<TrainingError>([&] { replay(aside); }), place);
    return place;
  }
};

INSTANTIATE_TEST_SUITE_P(Each, NonFiniteRuns, testing::ValuesIn(devices()),
                         [](const auto& info) { return info.param; });

TEST_P(NonFiniteRuns, NameTheFirstLayerWhoseOutputIsNotFinite) {
  begin_with([](nn::LanguageModelImpl& model) {
    model.named_parameters()["blocks.1.ffn.up.weight"][3].fill_(3e38);
  });
  for (const bool recompute : {false, true}) {
    recipe_.train.recompute = recompute;
    const std::string place = place_of(recompute ? "recomputed" : "run");
    EXPECT_EQ(place.substr(0, 36), "step 1: expected a finite loss, got ");
    EXPECT_NE(place.find(": layer blocks.1.ffn.up: "), std::string::npos) << place;
    EXPECT_NE(place.find(" of 1536 elements of its output [3, 16, 32] are not finite"), std::string::npos);
  }
}

TEST_P(NonFiniteRuns, NameTheFirstGradientThatIsNotFinite) {
  // Forward, the feed-forward layers see zeros; backward, 1e30 times 1e30 overflows.
  begin_with([](nn::LanguageModelImpl& model) {
    auto parameters = model.named_parameters();
    parameters["blocks.0.ffn_norm.weight"].zero_();
    parameters["blocks.0.ffn.up.weight"].fill_(1e30);
    parameters["blocks.0.ffn.down.weight"].fill_(1e30);
  });
  const std::string place = place_of("run");
  EXPECT_EQ(place.substr(0, 40), "step 1: expected a finite gradient, got ");
  EXPECT_NE(place.find(": layer blocks.0.ffn_norm: "), std::string::npos) << place;
  EXPECT_NE(place.find(" of its output's gradient [3, 16, 16] "), std::string::npos) << place;
}

TEST_P(NonFiniteRuns, NameAGradientWhoseNormAloneOverflows) {
  begin_with([](nn::LanguageModelImpl& model) {
    auto parameters = model.named_parameters();
    parameters["blocks.0.ffn.up.weight"].fill_(0);
    parameters["blocks.0.ffn.up.bias"].fill_(1e30);
    parameters["blocks.0.ffn.down.weight"].fill_(0);
  });
  EXPECT_NE(
      place_of("run").find("got inf: parameter blocks.0.ffn.down.weight: 1 of 1 elements of its gradient's "
                           "norm [] are not finite"),
      std::string::npos);
}

TEST_P(NonFiniteRuns, SkipWhatIsNotFiniteAndResumeToTheSameBits) {
  make_z_poisonous();
  std::string text = tiny_text(700, 1);
  text[300] = 'Z';
  folder_.write("data/train.txt", text);
  recipe_.model.dropout = 0.1;
  recipe_.train.skip_non_finite = 1;
  recipe_.train.steps = 24;
  run("whole");
  const auto lines = metrics(path("whole"));
  // 24 steps of 6 sequences take 3.3 epochs of 44.
  const int64_t skipped = lines[lines.size() - 2]["skipped_steps"];
  EXPECT_GE(skipped, 3);
  EXPECT_EQ(static_cast<int64_t>(notes_.size()), skipped);
  EXPECT_EQ(notes_.at(0).substr(0, 14), "skipped: step ");
  EXPECT_TRUE(fs::exists(path("whole/non_finite_step.safetensors")));
  for (int64_t step = 1; step < 24; step += 4) {
    const std::string name = "stopped-" + std::to_string(step);
    run(name, false, step);
    run(name, true);
    EXPECT_EQ(lines, metrics(path(name)));
    EXPECT_EQ(read_text(path("whole/checkpoints/step-00000024/state.safetensors")),
              read_text(path(name) / "checkpoints/step-00000024/state.safetensors"));
  }
}

TEST_P(NonFiniteRuns, LeaveWeightsAndMomentsAsTheyWere) {
  make_z_poisonous();
  folder_.write("data/train.txt", std::string(700, 'Z'));
  recipe_.train.skip_non_finite = 2;
  recipe_.model.vocabulary_size = 256;
  Team alone(open_device(recipe_.train.device));
  Trainer trainer(recipe_, {data::read_split(recipe_.data.path, data::Format::kBytes, "train", {}, 2), 16},
                  alone);
  trainer.load_fitting_weights(nn::weights_path(initial_model_, nn::Weights::kLast));
  NamedTensors before = trainer.state();
  before.pop_back();  // the generator goes on
  for (auto& [name, tensor] : before) tensor = tensor.clone();
  EXPECT_THROW(trainer.step(), NonFiniteError);
  const NamedTensors after = trainer.state();
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_TRUE(torch::equal(before[i].second.nan_to_num(7), after[i].second.nan_to_num(7)))
        << before[i].first;
  EXPECT_EQ(trainer.data_position(), 6);
  EXPECT_EQ(trainer.steps_done(), 0);

  EXPECT_EQ(place_of("run").substr(0, 49), "step 1: expected a finite loss, got nan: layer em");
  EXPECT_EQ(notes_.size(), 2U) << "skipped, before the one that stops it";
}

TEST_P(NonFiniteRuns, AreReplayedFromWholeFilesAlone) {
  make_z_poisonous();
  folder_.write("data/train.txt", std::string(700, 'Z'));
  place_of("run");
  const fs::path aside = path("run/non_finite_step.safetensors");
  fs::copy_file(nn::weights_path(initial_model_, nn::Weights::kLast), path("run/weights.safetensors"));
  EXPECT_EQ(message_of<FormatError>([&] { replay(path("run/weights.safetensors")); }),
            path("run/weights.safetensors").string() + ": step: expected a tensor I64 [1], got none");
  fs::copy_file(aside, path("moved.safetensors"));
  EXPECT_NE(message_of<FormatError>([&] { replay(path("moved.safetensors")); }).find("recipe.toml"),
            std::string::npos);
  const io::Safetensors whole(aside);
  std::vector<io::TensorBytes> tensors = whole.tensors();
  const auto inputs = std::ranges::find(tensors, "inputs.0", &io::TensorBytes::name);
  const auto refused = [&] {
    io::write_safetensors(path("run/other.safetensors"), tensors);
    return message_of<FormatError>([&] { replay(path("run/other.safetensors")); });
  };
  std::vector<std::byte> other(inputs->bytes.begin(), inputs->bytes.end());
  other[1] = std::byte{1};  // of the first token, the digit of 256
  inputs->bytes = other;
  EXPECT_NE(refused().find("inputs.0: expected tokens from 0 to 255, got 3"), std::string::npos) << refused();
  std::swap(inputs->shape[0], inputs->shape[1]);
  EXPECT_NE(refused().find("inputs.0: expected a tensor I64 [3, 16], got none"), std::string::npos);
  fs::remove(aside);
  EXPECT_NE(message_of<IoError>([&] { replay(aside); }).find("non_finite_step.safetensors"),
            std::string::npos);
}

}  // namespace
}  // namespace cosformer::train::test
