#include "train/captured_pass.h"

#include <cstdlib>

#include "cosformer/error.h"
#include "support/errors.h"
#include "train/device.h"
#include "train/evaluation.h"
#include "train/on_device.h"
#include "train/tiny_recipe.h"
#include "train/trainer.h"

namespace cosformer::train::test {
namespace {

using cosformer::test::message_of;

/// A GPU's graphs or, on the CPU, a stand-in: capturing does no work, and a replay is the work once more.
/// Each replay has to find weights and gradients where they were at the capture.
class WatchedGraphs {
 public:
  explicit WatchedGraphs(bool on_gpu) {
    if (on_gpu) graphs_ = cuda_graphs();
  }
  void watch(nn::LanguageModel model) { parameters_ = model->parameters(); }

  GraphCapture graphs() {
    return {[this](const GraphCapture::Work& work) {
              ++warm_ups;
              graphs_.warm_up(work);
            },
            [this](const GraphCapture::Work& work) -> GraphCapture::Work {
              ++captures;
              return [this, places = places(), replay = graphs_.capture(work)] {
                ++replays;
                EXPECT_EQ(this->places(), places) << "a GPU would read and write elsewhere";
                replay();
              };
            }};
  }

  int warm_ups = 0, captures = 0, replays = 0;

 private:
  std::vector<const void*> places() const {
    std::vector<const void*> found;
    for (const torch::Tensor& parameter : parameters_) {
      found.push_back(parameter.const_data_ptr());
      found.push_back(parameter.grad().defined() ? parameter.grad().const_data_ptr() : nullptr);
    }
    return found;
  }

  GraphCapture graphs_{[](const GraphCapture::Work& work) { work(); },
                       [](const GraphCapture::Work& work) { return work; }};
  std::vector<torch::Tensor> parameters_;
};

class CapturedPasses : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (is_missing(GetParam())) GTEST_SKIP() << "there is no GPU";
    alone_.emplace(open_device(GetParam()));
    graphs_.emplace(GetParam() == "cuda");
  }
  Recipe recipe() const {
    Recipe recipe = tiny_recipe();
    recipe.train.device = GetParam();
    recipe.train.average_decay = 0.3;
    recipe.model.tie_embeddings = false;
    return recipe;
  }
  /// Random numbers are those of the process: a trainer takes its steps before there is another.
  Trainer& begin(Recipe recipe, bool captures, const std::string& text = tiny_text(500, 1)) {
    recipe.train.cuda_graphs = captures;
    trainer_.reset();
    trainer_.emplace(recipe, data::Sequences(data::Tokens({text.begin(), text.end()}), 16), *alone_,
                     graphs_->graphs());
    if (captures) graphs_->watch(trainer_->model());
    return *trainer_;
  }

  std::optional<Team> alone_;
  std::optional<WatchedGraphs> graphs_;
  std::optional<Trainer> trainer_;
};

INSTANTIATE_TEST_SUITE_P(On, CapturedPasses, testing::ValuesIn(devices()),
                         [](const auto& info) { return info.param; });

/// What a trainer has shown on its way, and how it ended.
struct Course {
  std::vector<double> numbers;
  std::vector<std::string> errors;
  NamedTensors state;
  int padded_steps = 0;
};

/// With a validation of the averaged weights after each fourth step.
Course course(Trainer& trainer, int steps) {
  Course course;
  for (int i = 1; i <= steps; ++i) {
    try {
      const Trainer::Step step = trainer.step();
      course.numbers.insert(course.numbers.end(), {step.loss, step.gradient_norm});
      course.padded_steps += step.predicted < 96 ? 1 : 0;
    } catch (const NonFiniteError& error) {
      course.errors.emplace_back(error.what());
    }
    if (i % 4 == 0) {
      const Trainer::AveragedWeights averaged(trainer);
      course.numbers.push_back(evaluate(trainer.model(), tiny_sequences(100), 3));
    }
  }
  course.state = copy_of(trainer.state());
  return course;
}

void expect_equal(const Course& left, const Course& right) {
  EXPECT_EQ(left.numbers, right.numbers);
  EXPECT_EQ(left.errors, right.errors);
  ASSERT_EQ(left.state.size(), right.state.size());
  for (std::size_t i = 0; i < left.state.size(); ++i) {
    EXPECT_TRUE(torch::equal(left.state[i].second.nan_to_num(7), right.state[i].second.nan_to_num(7)))
        << left.state[i].first;
  }
}

TEST_P(CapturedPasses, GiveTheBitsOfOthers) {
  for (const char* precision : {"float32", "bfloat16"}) {
    Recipe recipe = this->recipe();
    recipe.train.precision = precision;
    const Course expected = course(begin(recipe, false), 12);
    graphs_.emplace(GetParam() == "cuda");
    expect_equal(course(begin(recipe, true), 12), expected);
    // 500 letters are 32 sequences, the last of them shorter: it comes twice in 12 steps of 6, whose
    // divisor is another one then.
    EXPECT_EQ(expected.padded_steps, 2);
    EXPECT_EQ(graphs_->warm_ups, 3);
    EXPECT_EQ(graphs_->captures, 1);
    EXPECT_EQ(graphs_->replays, 2 * (12 - 2) - 3);
  }
}

TEST_P(CapturedPasses, GoOnAfterAStepThatIsNotFinite) {
  std::string text = tiny_text(500, 1);
  text[300] = 'Z';
  const auto poisoned = [&](bool captures) -> Trainer& {
    Trainer& trainer = begin(recipe(), captures, text);
    const torch::NoGradGuard no_gradients;
    trainer.model()->named_parameters()["embedding.weight"]['Z'].fill_(
        std::numeric_limits<float>::quiet_NaN());
    return trainer;
  };
  const Course expected = course(poisoned(false), 16);
  ASSERT_GE(expected.errors.size(), 2U);
  EXPECT_EQ(expected.errors.back().find("step 1:"), std::string::npos) << "captured by then";
  expect_equal(course(poisoned(true), 16), expected);
  EXPECT_EQ(graphs_->captures, 1);
}

TEST_P(CapturedPasses, GoOnFromARestoredState) {
  Trainer& whole = begin(recipe(), false);
  course(whole, 4);
  const NamedTensors state = copy_of(whole.state());
  const int64_t position = whole.data_position();
  const Course expected = course(whole, 4);
  Trainer& captured = begin(recipe(), true);
  course(captured, 6);
  EXPECT_EQ(graphs_->captures, 1);
  captured.restore(to_bytes(state), 4, position, "x");
  expect_equal(course(captured, 4), expected);
  EXPECT_EQ(graphs_->captures, 1) << "the graph is still the first one";
}

TEST_P(CapturedPasses, AreRefusedWhereOperatorsWait) {
  ::setenv("COSFORMER_CHECK", "1", 1);
  EXPECT_EQ(message_of<RecipeError>([&] { begin(recipe(), true); }),
            "train.cuda_graphs: expected false with COSFORMER_CHECK=1 in the environment, by which operators "
            "wait for the GPU, got true");
  ::setenv("COSFORMER_CHECK", "0", 1);
  begin(recipe(), true);
  ::unsetenv("COSFORMER_CHECK");
}

TEST(CudaGraphs, AreAbsentInBuildsWithoutCuda) {
  if (cuda::is_built()) GTEST_SKIP() << "this build has CUDA";
  const std::string reason =
      "CUDA graphs: this build has no CUDA, expected one configured with COSFORMER_CUDA=ON";
  EXPECT_EQ(message_of<DeviceError>([] { cuda_graphs().warm_up([] {}); }), reason);
  EXPECT_EQ(message_of<DeviceError>([] { cuda_graphs().capture([] {}); }), reason);
}

}  // namespace
}  // namespace cosformer::train::test
