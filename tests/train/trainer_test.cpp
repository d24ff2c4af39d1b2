#include "train/trainer.h"

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"
#include "train/device.h"
#include "train/evaluation.h"
#include "train/generators.h"
#include "train/on_device.h"
#include "train/tiny_recipe.h"

namespace cosformer::train::test {
namespace {

using cosformer::test::message_of;

void expect_equal(const NamedTensors& left, const NamedTensors& right) {
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(torch::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

void take_steps(Trainer& trainer, int count) {
  for (int i = 0; i < count; ++i) trainer.step();
}

/// A device, and one process that trains on it.
class Device {
 public:
  explicit Device(const std::string& name) : name_(name), alone_(open_device(name)) {}
  Recipe recipe() const {
    Recipe recipe = tiny_recipe();
    recipe.train.device = name_;
    return recipe;
  }
  Team& alone() { return alone_; }

 private:
  std::string name_;
  Team alone_;
};

class Trainers : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (is_missing(GetParam())) GTEST_SKIP() << "there is no GPU";
    device_.emplace(GetParam());
  }
  Recipe recipe() const { return device_->recipe(); }
  Team& alone() { return device_->alone(); }

  std::optional<Device> device_;
};

INSTANTIATE_TEST_SUITE_P(On, Trainers, testing::ValuesIn(devices()),
                         [](const auto& info) { return info.param; });

TEST_P(Trainers, LearnATextThatCanBeLearnt) {
  Recipe recipe = this->recipe();
  recipe.train.steps = 60;
  Trainer trainer(recipe, tiny_sequences(2000), alone());
  const double first = trainer.step().loss;
  double last = 0;
  while (trainer.steps_done() < 60) last = trainer.step().loss;
  EXPECT_NEAR(first, std::log(256.0), 0.3);
  // 1.2 nats is the entropy of the text: 8 letters, the next one at 3/4 + 1/32.
  EXPECT_LT(last, 2.1);
}

TEST_P(Trainers, TakeOneLargeStepInSmallOnes) {
  // 37 tokens are 3 sequences, one of them of 4 tokens: its targets weigh as much as all others.
  Recipe recipe = this->recipe();
  recipe.model.dropout = 0;
  recipe.train.batch_size = 1;
  recipe.train.accumulation = 6;
  Trainer small(recipe, tiny_sequences(37), alone());
  recipe.train.batch_size = 6;
  recipe.train.accumulation = 1;
  Trainer large(recipe, tiny_sequences(37), alone());
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

TEST_P(Trainers, AverageWeights) {
  Recipe recipe = this->recipe();
  recipe.train.average_decay = 0.3;
  Trainer trainer(recipe, tiny_sequences(500), alone());
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

TEST_P(Trainers, OfEqualRecipesGiveEqualBits) {
  Trainer first(recipe(), tiny_sequences(500), alone());
  take_steps(first, 4);
  const NamedTensors after = copy_of(first.state());
  Trainer second(recipe(), tiny_sequences(500), alone());
  take_steps(second, 4);
  expect_equal(after, on_host(second.state()));
}

TEST_P(Trainers, ThatComputeAgainGiveTheSameBits) {
  Recipe kept = recipe();
  kept.train.precision = "bfloat16";
  Trainer first(kept, tiny_sequences(500), alone());
  take_steps(first, 3);
  const NamedTensors after = copy_of(first.state());
  Recipe again = kept;
  again.train.recompute = true;
  Trainer second(again, tiny_sequences(500), alone());
  take_steps(second, 3);
  expect_equal(after, on_host(second.state()));
}

TEST_P(Trainers, OfOneRankEqualThoseOfNone) {
  Trainer none(recipe(), tiny_sequences(500), alone());
  take_steps(none, 3);
  const NamedTensors after = copy_of(none.state());
  Team team(recipe(), RankEnvironment());
  Trainer one(recipe(), tiny_sequences(500), team);
  one.follow_first();
  take_steps(one, 3);
  expect_equal(after, on_host(one.state()));
  EXPECT_EQ(evaluate(one.model(), tiny_sequences(100), 3, team, nn::Precision::kFloat32),
            evaluate(none.model(), tiny_sequences(100), 3));
}

/// Of a first step, a tenth of the gradients: AdamW's first moments.
NamedTensors gradients(const Trainer& trainer) {
  return with_prefix(on_host(trainer.state()), "first_moments.");
}

TEST_P(Trainers, ComputeWhatTheCpuDoes) {
  Device cpu("cpu");
  for (const std::string kind : {"cosformer", "linear", "softmax"}) {
    for (const bool rounded : {false, true}) {
      const auto of = [&](Recipe recipe) {
        recipe.model.attention = kind;
        if (kind != "cosformer") recipe.model.horizon.reset();
        recipe.model.dropout = 0;
        recipe.optimizer.clip_norm = 0;
        return recipe;
      };
      Trainer exact(of(cpu.recipe()), tiny_sequences(500), cpu.alone());
      const double expected_loss = exact.step().loss;
      Recipe there = of(recipe());
      if (rounded) there.train.precision = "bfloat16";
      Trainer trainer(there, tiny_sequences(500), alone());
      const double loss = trainer.step().loss;
      // As in nn's precision_test: roundings of a number on its way there and back, which add up as the root
      // of their number. In float32 each may be that of a sum, of up to 256 terms, in another order.
      const double roundings = 2 * 14 * 2 + 3;
      const double bound = 4 * std::sqrt(roundings) * (rounded ? 0x1p-8 : std::sqrt(256) * 0x1p-24);
      const std::string what = kind + (rounded ? " bfloat16 " : " float32 ");
      EXPECT_NEAR(loss, expected_loss, bound) << what;
      const NamedTensors expected = gradients(exact), got = gradients(trainer);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto& [name, gradient] = expected[i];
        // Those of scores are differences; in softmax a key's bias has none but for rounding.
        if (kind == "softmax" && name.ends_with("key.bias")) continue;
        const bool of_score =
            name.find(".query.") != std::string::npos || name.find(".key.") != std::string::npos;
        EXPECT_LT((got[i].second - gradient).norm().item<double>(),
                  (of_score ? 2 : 1) * bound * gradient.norm().item<double>())
            << what << name;
      }
    }
  }
}

TEST_P(Trainers, GoOnWhereAnotherDeviceStopped) {
  Device cpu("cpu");
  for (const auto& [from, to] : {std::pair(&*device_, &cpu), std::pair(&cpu, &*device_)}) {
    Trainer before(from->recipe(), tiny_sequences(500), from->alone());
    take_steps(before, 2);
    const NamedTensors state = on_host(before.state());
    Trainer after(to->recipe(), tiny_sequences(500), to->alone());
    after.restore(to_bytes(state), 2, before.data_position(), "x");
    for (const auto& [name, tensor] : on_host(after.state())) {
      const auto found = std::ranges::find(state, name, [](const auto& of_state) { return of_state.first; });
      EXPECT_TRUE(found == state.end() || torch::equal(tensor, found->second)) << name;
    }
    const auto loss = [](Trainer& trainer) { return evaluate(trainer.model(), tiny_sequences(100), 3); };
    EXPECT_NEAR(loss(after), loss(before), 1e-5);
    EXPECT_LT(after.step().loss, std::log(256.0));
  }
}

TEST_P(Trainers, KeepTheGeneratorsThatTheyDrawFrom) {
  Trainer trainer(recipe(), tiny_sequences(500), alone());
  NamedTensors state = copy_of(trainer.state());
  NamedTensors generators = with_prefix(state, "generators.");
  ASSERT_EQ(generators.size(), GetParam() == "cpu" ? 1U : 2U);
  EXPECT_EQ(generators[0].first, "cpu");
  EXPECT_EQ(generators.back().first, GetParam());
  for (const auto& [name, rows] : generators) {
    EXPECT_EQ(rows.scalar_type(), torch::kUInt8);
    EXPECT_EQ(rows.sizes(), (std::vector<int64_t>{1, name == "cpu" ? 5056 : 16}));
  }
  // Of another number of ranks, and of another device.
  state.back().second = state.back().second.repeat({2, 1});
  state.emplace_back("generators.other", torch::zeros({1, 16}, torch::kUInt8));
  trainer.restore(to_bytes(state), 0, 0, "x");
  state.back() = {"generators.cpu", torch::zeros({1, 16}, torch::kUInt8)};
  std::erase_if(state, [&](const auto& tensor) {
    return tensor.first == "generators.cpu" && tensor.second.size(1) != 16;
  });
  EXPECT_EQ(message_of<FormatError>([&] { trainer.restore(to_bytes(state), 0, 0, "x"); }),
            "x: generators.cpu: expected U8 [ranks, 5056], got another shape or dtype");
}

TEST_P(Trainers, GoOnFromAnyStepBitForBit) {
  Trainer whole(recipe(), tiny_sequences(500), alone());
  take_steps(whole, 3);
  const cosformer::test::TemporaryFolder folder;
  io::write_safetensors(folder.path() / "state", to_bytes(on_host(whole.state())));
  const int64_t position = whole.data_position();
  std::vector<double> losses;
  for (int i = 0; i < 3; ++i) losses.push_back(whole.step().loss);
  const NamedTensors expected = copy_of(whole.state());

  Trainer resumed(recipe(), tiny_sequences(500), alone());
  const io::Safetensors stored(folder.path() / "state");
  resumed.restore(stored.tensors(), 3, position, "x");
  for (const double loss : losses) EXPECT_EQ(resumed.step().loss, loss);
  expect_equal(expected, on_host(resumed.state()));
  EXPECT_EQ(resumed.data_position(), whole.data_position());
  EXPECT_EQ(resumed.steps_done(), 6);
}

/// What the third step from a restored state is like when one part of the state was not.
class NothingIsLeftOut : public testing::TestWithParam<std::tuple<std::string, const char*>> {};

TEST_P(NothingIsLeftOut, OrTheNextStepsDiffer) {
  const std::string on = std::get<0>(GetParam()), part = std::get<1>(GetParam());
  if (is_missing(on)) GTEST_SKIP() << "there is no GPU";
  Device device(on);
  const auto begin = [&] { return Trainer(device.recipe(), tiny_sequences(500), device.alone()); };
  Trainer whole = begin();
  take_steps(whole, 3);
  NamedTensors state = copy_of(whole.state());
  const int64_t position = whole.data_position();
  take_steps(whole, 3);
  const NamedTensors expected = copy_of(whole.state());

  Trainer resumed = begin();
  const NamedTensors fresh = copy_of(resumed.state());
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].first.starts_with(part)) state[i].second = fresh[i].second;
  }
  resumed.restore(to_bytes(state), part == "steps" ? 0 : 3, part == "position" ? 0 : position, "x");
  take_steps(resumed, 3);
  bool all_equal = true;
  const NamedTensors got = on_host(resumed.state());
  for (std::size_t i = 0; i < got.size(); ++i) {
    all_equal = all_equal && torch::equal(got[i].second, expected[i].second);
  }
  EXPECT_EQ(all_equal, part == "nothing");
}

INSTANTIATE_TEST_SUITE_P(
    Parts, NothingIsLeftOut,
    testing::Combine(testing::ValuesIn(devices()),
                     testing::Values("nothing", "weights", "first_moments", "second_moments", "generator",
                                     "steps", "position")),
    [](const auto& info) { return std::get<0>(info.param) + '_' + std::get<1>(info.param); });

TEST_P(Trainers, RefuseAnotherModelsState) {
  Trainer trainer(recipe(), tiny_sequences(500), alone());
  Recipe wider = recipe();
  wider.model.ffn_width = 64;
  Trainer other(wider, tiny_sequences(500), alone());
  EXPECT_THROW(trainer.restore(to_bytes(on_host(other.state())), 1, 1, "x"), FormatError);
}

TEST_P(Trainers, StopAtALossThatIsNotFinite) {
  Recipe recipe = this->recipe();
  recipe.optimizer.learning_rate = 1e6;
  recipe.schedule.warmup_steps = 0;
  recipe.optimizer.weight_decay = 1e3;
  recipe.train.steps = 100;
  Trainer trainer(recipe, tiny_sequences(500), alone());
  const std::string error = message_of<TrainingError>([&] {
    for (int i = 0; i < 100; ++i) trainer.step();
  });
  const std::string prefix = "step " + std::to_string(trainer.steps_done() + 1) + ": expected a finite ";
  EXPECT_EQ(error.substr(0, prefix.size()), prefix);
}

}  // namespace
}  // namespace cosformer::train::test
