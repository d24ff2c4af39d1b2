#include "train/evaluation.h"

#include <gtest/gtest.h>

#include "train/tiny_recipe.h"

namespace cosformer::train::test {
namespace {

TEST(Evaluation, IsTheMeanOverEveryPredictedToken) {
  torch::manual_seed(1);
  nn::LanguageModel model(tiny_recipe().model);
  const data::Sequences sequences = tiny_sequences(100);
  const torch::NoGradGuard no_gradients;
  model->eval();
  double sum = 0;
  for (int64_t i = 0; i < sequences.count(); ++i) {
    data::Batch batch = sequences.batch(std::vector<int64_t>{i});
    const BatchTensors tensors(batch, torch::kCPU);
    const torch::Tensor logarithms = torch::log_softmax(model->forward(tensors.inputs), -1);
    sum -= logarithms.gather(2, tensors.targets.unsqueeze(2)).sum().item<double>();
  }
  model->train();
  for (const int64_t rows : {1, 3, 4, 100}) {
    EXPECT_NEAR(evaluate(model, sequences, rows), sum / 99, 1e-5) << rows << " rows a batch";
    EXPECT_TRUE(model->is_training()) << "the mode is restored";
  }
}

}  // namespace
}  // namespace cosformer::train::test
