#include "train/trainer.h"

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"
#include "train/tiny_recipe.h"

namespace cosformer::train::test {
namespace {

void expect_equal(const Trainer& a, const Trainer& b) {
  const NamedTensors left = a.state(), right = b.state();
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(torch::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

Team alone;

TEST(Trainer, LearnsATextThatCanBeLearnt) {
  Recipe recipe = tiny_recipe();
  recipe.train.steps = 60;
  Trainer trainer(recipe, tiny_sequences(2000), alone);
  const double first = trainer.step().loss;
  double last = 0;
  while (trainer.steps_done() < 60) last = trainer.step().loss;
  EXPECT_NEAR(first, std::log(256.0), 0.3);
  // 1.2 nats is the entropy of the text: 8 letters, the next one at 3/4 + 1/32.
  EXPECT_LT(last, 2.1);
}

TEST(Trainer, AccumulatedStepsEqualOneLargeStep) {
  // 37 tokens are 3 sequences, one of them of 4 tokens: its targets weigh as much as all others.
  Recipe recipe = tiny_recipe();
  recipe.model.dropout = 0;
  recipe.train.batch_size = 1;
  recipe.train.accumulation = 6;
  Trainer small(recipe, tiny_sequences(37), alone);
  recipe.train.batch_size = 6;
  recipe.train.accumulation = 1;
  Trainer large(recipe, tiny_sequences(37), alone);
  const Trainer::Step a = small.step(), b = large.step();
  EXPECT_EQ(a.predicted, 72);
  EXPECT_EQ(b.predicted, 72);
  EXPECT_NEAR(a.loss, b.loss, 1e-6);
  EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-5 * b.gradient_norm);
  // Moments are gradients times 0.1.
  const NamedTensors left = small.state(), right = large.state();
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!left[i].first.starts_with("first_moments.")) continue;
    const double size = right[i].second.abs().max().item<double>();
    EXPECT_LT((left[i].second - right[i].second).abs().max().item<double>(), 1e-5 * size + 1e-9)
        << left[i].first;
  }
  EXPECT_EQ(small.data_position(), 6);
}

TEST(Trainer, AveragesWeights) {
  Recipe recipe = tiny_recipe();
  recipe.train.average_decay = 0.3;
  Trainer trainer(recipe, tiny_sequences(500), alone);
  const auto value = [&] { return trainer.model()->parameters()[0].detach().clone().to(torch::kFloat64); };
  const auto average = [&] {
    const Trainer::AveragedWeights averaged(trainer);
    return value();
  };
  torch::Tensor expected = value();
  EXPECT_TRUE(torch::equal(average(), expected)) << "it starts from the initial weights";
  for (int step = 1; step <= 5; ++step) {
    trainer.step();
    const double decay = std::min(0.3, (1.0 + step) / (10 + step));
    const torch::Tensor weights = value();
    expected = decay * expected + (1 - decay) * weights;
    EXPECT_LT((average() - expected).abs().max().item<double>(), 1e-6) << step;
    EXPECT_TRUE(torch::equal(value(), weights)) << "the weights are back";
    EXPECT_FALSE(torch::equal(average(), weights));
  }
}

TEST(Trainer, EqualRecipesGiveEqualBits) {
  Trainer first(tiny_recipe(), tiny_sequences(500), alone);
  for (int i = 0; i < 4; ++i) first.step();
  const NamedTensors after = first.state();
  std::vector<torch::Tensor> kept;
  for (const auto& [name, tensor] : after) kept.push_back(tensor.clone());
  Trainer second(tiny_recipe(), tiny_sequences(500), alone);
  for (int i = 0; i < 4; ++i) second.step();
  const NamedTensors again = second.state();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_TRUE(torch::equal(kept[i], again[i].second)) << after[i].first;
  }
}

TEST(Trainer, GoesOnFromAnyStepBitForBit) {
  Trainer whole(tiny_recipe(), tiny_sequences(500), alone);
  for (int i = 0; i < 3; ++i) whole.step();
  const cosformer::test::TemporaryFolder folder;
  io::write_safetensors(folder.path() / "state", to_bytes(whole.state()));
  const int64_t position = whole.data_position();
  std::vector<double> losses;
  for (int i = 0; i < 3; ++i) losses.push_back(whole.step().loss);
  const NamedTensors expected = whole.state();

  Trainer resumed(tiny_recipe(), tiny_sequences(500), alone);
  const io::Safetensors stored(folder.path() / "state");
  resumed.restore(stored.tensors(), 3, position, "x");
  for (const double loss : losses) EXPECT_EQ(resumed.step().loss, loss);
  expect_equal(whole, resumed);
  EXPECT_EQ(resumed.data_position(), whole.data_position());
  EXPECT_EQ(resumed.steps_done(), 6);
}

/// What the third step from a restored state is like when one part of the state was not.
class NothingIsLeftOut : public testing::TestWithParam<const char*> {};

TEST_P(NothingIsLeftOut, OrTheNextStepsDiffer) {
  Trainer whole(tiny_recipe(), tiny_sequences(500), alone);
  for (int i = 0; i < 3; ++i) whole.step();
  NamedTensors state = whole.state();
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  const int64_t position = whole.data_position();
  for (int i = 0; i < 3; ++i) whole.step();
  std::vector<torch::Tensor> expected;
  for (const auto& [name, tensor] : whole.state()) expected.push_back(tensor.clone());

  const std::string part = GetParam();
  Trainer resumed(tiny_recipe(), tiny_sequences(500), alone);
  const NamedTensors fresh = resumed.state();
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].first.starts_with(part)) state[i].second = fresh[i].second.clone();
  }
  resumed.restore(to_bytes(state), part == "steps" ? 0 : 3, part == "position" ? 0 : position, "x");
  for (int i = 0; i < 3; ++i) resumed.step();
  bool all_equal = true;
  const NamedTensors got = resumed.state();
  for (std::size_t i = 0; i < got.size(); ++i) {
    all_equal = all_equal && torch::equal(got[i].second, expected[i]);
  }
  EXPECT_EQ(all_equal, part == "nothing");
}

INSTANTIATE_TEST_SUITE_P(Parts, NothingIsLeftOut,
                         testing::Values("nothing", "weights", "first_moments", "second_moments", "generator",
                                         "steps", "position"),
                         [](const auto& info) { return info.param; });

TEST(Trainer, AnotherModelsStateIsRefused) {
  Trainer trainer(tiny_recipe(), tiny_sequences(500), alone);
  Recipe wider = tiny_recipe();
  wider.model.ffn_width = 64;
  Trainer other(wider, tiny_sequences(500), alone);
  EXPECT_THROW(trainer.restore(to_bytes(other.state()), 1, 1, "x"), FormatError);
}

TEST(Trainer, ALossThatIsNotFiniteStopsIt) {
  Recipe recipe = tiny_recipe();
  recipe.optimizer.learning_rate = 1e6;
  recipe.schedule.warmup_steps = 0;
  recipe.optimizer.weight_decay = 1e3;
  recipe.train.steps = 100;
  Trainer trainer(recipe, tiny_sequences(500), alone);
  const std::string error = cosformer::test::message_of<TrainingError>([&] {
    for (int i = 0; i < 100; ++i) trainer.step();
  });
  const std::string prefix = "step " + std::to_string(trainer.steps_done() + 1) + ": expected a finite ";
  EXPECT_EQ(error.substr(0, prefix.size()), prefix);
}

}  // namespace
}  // namespace cosformer::train::test
