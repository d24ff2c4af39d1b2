#include "train/run_state.h"

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::train {
namespace {

RunState some_state() {
  RunState state;
  state.step = 7;
  state.data_position = 56;
  state.data_identity = {{"train", "1000 tokens"}};
  state.best_loss = 1.0 / 3;
  state.best_step = 5;
  state.window.loss = 0.1 + 0.2;
  state.window.predicted = 99;
  state.window.spikes = 2;
  state.skipped_steps = 3;
  state.loss = {6, 0.1 + 0.7, 1.0 / 7};
  state.machine = {{"threads", 2}};
  return state;
}

TEST(RunState, RoundTripKeepsEveryBit) {
  const RunState state = some_state(), read = run_state_from_json(to_json(state), "x");
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.data_position, 56);
  EXPECT_EQ(read.data_identity, state.data_identity);
  EXPECT_EQ(read.best_loss, state.best_loss);
  EXPECT_EQ(read.best_step, 5);
  EXPECT_EQ(read.window.loss, state.window.loss);
  EXPECT_EQ(read.window.predicted, 99);
  EXPECT_EQ(read.window.spikes, 2);
  EXPECT_EQ(read.skipped_steps, 3);
  EXPECT_EQ(read.loss.steps, 6);
  EXPECT_EQ(read.loss.mean, state.loss.mean);
  EXPECT_EQ(read.loss.variance, state.loss.variance);
  EXPECT_EQ(read.machine, state.machine);
}

TEST(RunState, BeforeTheFirstValidationNothingIsBest) {
  RunState state = some_state();
  state.best_loss.reset();
  EXPECT_EQ(run_state_from_json(to_json(state), "x").best_loss, std::nullopt);
}

TEST(RunState, EveryKeyIsNeededAndOfItsType) {
  const auto whole = nlohmann::ordered_json::parse(to_json(some_state()));
  for (const auto& [key, value] : whole.items()) {
    auto json = whole;
    json.erase(key);
    EXPECT_EQ(test::message_of<FormatError>([&] { run_state_from_json(json.dump(), "x"); }),
              "x: " + key + ": expected another value, got none");
    json = whole;
    json[key] = "text";
    EXPECT_EQ(test::message_of<FormatError>([&] { run_state_from_json(json.dump(), "x"); }),
              "x: " + key + ": expected another value, got \"text\"");
  }
  EXPECT_THROW(run_state_from_json("[]", "x"), FormatError);
  EXPECT_THROW(run_state_from_json("{", "x"), FormatError);
}

}  // namespace
}  // namespace cosformer::train
