#include <map>
#include <thread>

#include "cosformer/error.h"
#include "cosformer/nn/model_folder.h"
#include "data/make_shards.h"
#include "io/checksum.h"
#include "io/folder_lock.h"
#include "train/evaluation.h"
#include "train/runs.h"
#include "train/trainer.h"

namespace cosformer::train::test {
namespace {

/// A checksum of every file; of folders the names.
std::map<std::string, std::string> content(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string text = entry.is_regular_file() ? read_text(entry.path()) : "";
    files[entry.path()] = io::crc64_text(io::crc64(std::as_bytes(std::span(text))));
  }
  return files;
}

/// @return their folder, beside the text's
std::string make_shards_of(const fs::path& text, data::Format format) {
  const std::string shards = text.string() + "-shards";
  data::make_shards({text, format, {"train", "valid"}, 300}, 2, shards, [](std::size_t, std::size_t) {});
  return shards;
}

TEST_F(Runs, LeaveAModelMetricsAndCheckpoints) {
  EXPECT_EQ(run("run").stopped_by, std::nullopt);
  std::vector<std::string> lines;
  for (const auto& line : metrics(path("run"))) {
    lines.push_back(line["split"].get<std::string>() + ' ' + std::to_string(line["step"].get<int>()));
    EXPECT_GT(line["loss"].get<double>(), 0);
    if (line["split"] == "train") {
      EXPECT_GT(line["learning_rate"].get<double>(), 0);
      EXPECT_GT(line["gradient_norm"].get<double>(), 0);
    }
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"train 2", "train 4", "valid 4", "train 6", "train 8", "valid 8",
                                             "train 10", "train 12", "valid 12"}));
  EXPECT_TRUE(fs::exists(path("run/checkpoints/step-00000009")));
  EXPECT_TRUE(fs::exists(path("run/checkpoints/step-00000012")));
  EXPECT_FALSE(fs::exists(path("run/checkpoints/step-00000006"))) << "the last two are kept";
  const auto record = nlohmann::json::parse(read_text(path("run/run.json")));
  EXPECT_GT(record["peak_bytes"].get<int64_t>(), 1'000'000);
  EXPECT_EQ(record["machine"]["threads"], 1);
  EXPECT_TRUE(record.contains("version") && record.contains("commit"));
}

TEST_F(Runs, BestWeightsAreThoseOfTheLowestValidationLoss) {
  // Rates that fall to 0 would make the last the best; a high one to the end makes the loss jump.
  recipe_.optimizer.learning_rate = 0.3;
  recipe_.schedule.final_fraction = 1;
  run("run");
  double lowest = 1e9, last = 0;
  for (const auto& line : metrics(path("run"))) {
    if (line["split"] != "valid") continue;
    last = line["loss"];
    lowest = std::min(lowest, last);
  }
  const auto loss = [&](nn::Weights which) {
    nn::LanguageModel model = nn::load_model(path("run"), which);
    return evaluate(model,
                    {data::read_split(recipe_.data.path, data::Format::kBytes, "valid", {}, 2),
                     recipe_.train.sequence_length},
                    recipe_.train.batch_size);
  };
  EXPECT_EQ(loss(nn::Weights::kBest), lowest);
  EXPECT_EQ(loss(nn::Weights::kLast), last);
}

TEST_F(Runs, WithEveryOptimizerAndTheirAverageResumeToTheSameBits) {
  recipe_.train.average_decay = 0.8;
  recipe_.train.label_smoothing = 0.1;
  for (const char* kind : {"adam", "nag"}) {
    recipe_.optimizer.kind = kind;
    recipe_.optimizer.clip_value = 0.05;
    const std::string whole = std::string("whole-") + kind, stopped = std::string("stopped-") + kind;
    run(whole);
    run(stopped, false, 5);
    run(stopped, true);
    expect_same(whole, stopped);
  }
}

TEST_F(Runs, InBfloat16ResumeToTheSameBits) {
  run("exact");
  recipe_.train.precision = "bfloat16";
  run("whole");
  EXPECT_NE(metrics(path("exact")), metrics(path("whole")));
  run("stopped", false, 5);
  run("stopped", true);
  expect_same("whole", "stopped");
  nn::LanguageModel model = nn::load_model(path("whole"), nn::Weights::kLast);
  EXPECT_EQ(evaluate(model,
                     {data::read_split(recipe_.data.path, data::Format::kBytes, "valid", {}, 2),
                      recipe_.train.sequence_length},
                     recipe_.train.batch_size, nn::Precision::kBfloat16),
            metrics(path("whole")).back()["loss"].get<double>());
  recipe_.train.precision = "float32";
  EXPECT_NE(
      message_of<FormatError>([&] { run("whole", true); }).find("train.precision: the run has \"bfloat16\""),
      std::string::npos);
}

TEST_F(Runs, ThatRecomputeHaveTheSameBits) {
  for (const char* precision : {"float32", "bfloat16"}) {
    recipe_.train.precision = precision;
    const std::string kept = std::string("kept-") + precision, other = std::string("recomputed-") + precision;
    recipe_.train.recompute = false;
    run(kept);
    run(other, false, 5);
    recipe_.train.recompute = true;
    run(other, true);
    expect_same(kept, other);
  }
}

TEST_F(Runs, BeginWithAnotherModelsWeights) {
  run("first");
  initial_model_ = path("first");
  recipe_.optimizer.learning_rate = 0;
  recipe_.train.average_decay = 0.5;
  run("second");
  EXPECT_EQ(notes_, std::vector<std::string>{});
  EXPECT_EQ(read_text(path("first/model.safetensors")), read_text(path("second/model.safetensors")));
  recipe_.optimizer.learning_rate = 1e-2;
  run("whole");
  run("stopped", false, 5);
  run("stopped", true);
  expect_same("whole", "stopped");
}

TEST_F(Runs, ListWhatDoesNotFitOfAnotherModel) {
  run("first");
  initial_model_ = path("first");
  recipe_.model.ffn_width = 40;
  recipe_.model.tie_embeddings = false;
  run("second");
  const std::string file = path("first/model.safetensors").string() + ": not used: ";
  ASSERT_EQ(notes_.size(), 7U) << "3 of each block's feed-forward, and the head";
  EXPECT_EQ(notes_.back().substr(0, file.size()), file);
  EXPECT_NE(notes_[0].find("expected F32 [40, 16], got F32 [32, 16]"), std::string::npos) << notes_[0];
  recipe_.model.width = 8;
  recipe_.model.layers = 1;
  EXPECT_NE(message_of<FormatError>([&] { run("third"); }).find("expected tensors of this model, got none"),
            std::string::npos);
  initial_model_ = path("nothing");
  EXPECT_NE(message_of<IoError>([&] { run("fourth"); }).find("nothing"), std::string::npos);
  initial_model_.clear();
  EXPECT_NO_THROW(run("fourth")) << "the folder holds no run yet";
}

TEST_F(Runs, KeepTheAverageThatTheyEvaluate) {
  recipe_.train.average_decay = 0.8;
  run("run");
  nn::LanguageModel model = nn::load_model(path("run"), nn::Weights::kLast);
  EXPECT_EQ(evaluate(model,
                     {data::read_split(recipe_.data.path, data::Format::kBytes, "valid", {}, 2),
                      recipe_.train.sequence_length},
                     recipe_.train.batch_size),
            metrics(path("run")).back()["loss"].get<double>());
}

TEST_F(Runs, MarkSpikesOfTheLoss) {
  // The rate rises until steps overshoot. Whether that is a spike depends on the rounding, hence several
  // seeds.
  recipe_.optimizer.learning_rate = 10;
  recipe_.optimizer.clip_norm = 0;
  recipe_.schedule.warmup_steps = recipe_.train.steps = 300;
  int64_t spikes = 0;
  std::string whole;
  for (recipe_.seed = 1; spikes == 0 && recipe_.seed <= 12; ++recipe_.seed) {
    whole = "whole-" + std::to_string(recipe_.seed);
    notes_.clear();
    run(whole);
    EXPECT_EQ(notes_.size(), 1U);
    EXPECT_EQ(notes_.at(0).substr(0, 28), "schedule.warmup_steps = 300:");
    for (const auto& line : metrics(path(whole))) {
      if (line["split"] != "train") continue;
      spikes += line["spikes"].get<int64_t>();
      if (line["step"] <= 50) {
        EXPECT_EQ(line["spikes"], 0);
      }
    }
  }
  ASSERT_GT(spikes, 0);
  --recipe_.seed;
  run("stopped", false, 225);
  run("stopped", true);
  EXPECT_EQ(metrics(path(whole)), metrics(path("stopped")));
}

TEST_F(Runs, EndWhenTheyRunOutOfPatience) {
  recipe_.optimizer.learning_rate = 0;  // no validation is better than the first
  recipe_.train.evaluate_every = 2;
  recipe_.train.patience = 3;
  const TrainResult result = run("run");
  EXPECT_EQ(result.step, 8);
  EXPECT_EQ(result.stopped_by, std::nullopt);
  EXPECT_EQ(notes_, std::vector<std::string>{"ended after step 8: no lower validation loss since step 2"});
  EXPECT_TRUE(fs::exists(path("run/checkpoints/step-00000008")));
  EXPECT_EQ(run("run", true).step, 8);
  EXPECT_EQ(notes_, std::vector<std::string>{"finished before, at step 8"});
}

TEST_F(Runs, StopAtTheirTimeLimitWithACheckpoint) {
  recipe_.train.steps = 1'000'000;
  recipe_.train.evaluate_every = recipe_.train.checkpoint_every = recipe_.train.log_every = 1'000'000;
  recipe_.train.time_limit = 1;
  const TrainResult first = run("run");
  EXPECT_EQ(first.stopped_by, "train.time_limit");
  EXPECT_GT(first.step, 1);
  recipe_.train.time_limit = 2;
  EXPECT_GT(run("run", true).step, first.step) << "a limit may change, and each process has its own";
}

TEST_F(Runs, ThatAreFinishedStayAsTheyAre) {
  run("run");
  const std::string before = read_text(path("run/metrics.jsonl"));
  EXPECT_EQ(run("run", true).step, 12);
  EXPECT_EQ(read_text(path("run/metrics.jsonl")), before) << "times included";
}

TEST_F(Runs, WithoutACheckpointBeginAfresh) {
  run("whole");
  run("resumed", true);
  expect_same("whole", "resumed");
  // Killed before the first checkpoint: metrics of steps that no longer count.
  fs::remove_all(path("resumed/checkpoints"));
  run("resumed", true);
  expect_same("whole", "resumed");
}

TEST_F(Runs, GoOnFromTheCheckpointBeforeADamagedOne) {
  run("whole");
  run("run");
  fs::resize_file(path("run/checkpoints/step-00000012/state.safetensors"), 100);
  run("run", true);
  ASSERT_EQ(notes_.size(), 2U);
  EXPECT_EQ(notes_[0].find("damaged checkpoint: "), 0U) << notes_[0];
  EXPECT_EQ(notes_[1], "continuing after step 9");
  // The second of its step; the damaged one is gone.
  const fs::path checkpoints = path("run/checkpoints");
  EXPECT_FALSE(fs::exists(checkpoints / "step-00000012"));
  fs::rename(checkpoints / "step-00000012.2", checkpoints / "step-00000012");
  expect_same("whole", "run");
  for (const char* step : {"step-00000009", "step-00000012"}) {
    fs::remove(checkpoints / step / "state.json");
  }
  EXPECT_NE(error<FormatError>(true).find("expected a whole checkpoint, got 2 damaged"), std::string::npos);
}

TEST_F(Runs, EndWhereACheckpointCannotBeWritten) {
  const fs::path in_the_way = path("run/model.safetensors/file");
  std::vector<int64_t> steps;
  const auto spoil = [&](const TrainProgress& progress) {
    steps.push_back(progress.step);
    if (progress.step != 4) return;
    while (!fs::exists(path("run/checkpoints/step-00000003"))) std::this_thread::yield();
    fs::remove(path("run/model.safetensors"));
    fs::create_directories(in_the_way);
  };
  const std::string message = message_of<IoError>([&] {
    train(recipe_, path("run"), {}, {spoil, [](const std::string&) {}});
  });
  EXPECT_NE(message.find("model.safetensors"), std::string::npos) << message;
  EXPECT_LE(steps.back(), 9) << "what failed at step 6 comes out at the next save";
  EXPECT_TRUE(fs::exists(path("run/checkpoints/step-00000003")));
  EXPECT_FALSE(fs::exists(path("run/checkpoints/step-00000006")))
      << "the checkpoint is the last to be written";
}

TEST_F(Runs, AreNotOverwritten) {
  run("run");
  const std::string before = read_text(path("run/model.safetensors"));
  EXPECT_EQ(error<FormatError>(),
            path("run").string() + ": expected a folder without a run; --resume continues the one there");
  EXPECT_EQ(read_text(path("run/model.safetensors")), before);
}

TEST_F(Runs, OfAnotherRecipeAreNotContinued) {
  run("run", false, 3);
  recipe_.train.batch_size = 4;
  EXPECT_EQ(error<FormatError>(true),
            path("run").string() +
                ": cannot be continued by another recipe: train.batch_size: the run has 3, got 4");
  recipe_.train.batch_size = 3;
  folder_.write("data/train.txt", tiny_text(701, 1));
  const std::string expected = ": expected the data that the run began with, got train ";
  EXPECT_NE(error<FormatError>(true).find(expected + "\"701 tokens, crc64 "), std::string::npos);
  std::string other = tiny_text(700, 1);
  other[333] = 'x';
  folder_.write("data/train.txt", other);
  EXPECT_NE(error<FormatError>(true).find(expected + "\"700 tokens, crc64 "), std::string::npos);
  folder_.write("data/train.txt", tiny_text(700, 1));
  folder_.write("data/valid.txt", tiny_text(100, 3));
  EXPECT_NE(error<FormatError>(true).find(": expected the data that the run began with, got valid "),
            std::string::npos);
}

TEST_F(Runs, OnShardsEqualThoseOnTheText) {
  run("text");
  recipe_.data.path = make_shards_of(path("data"), data::Format::kBytes);
  recipe_.data.format = "shards";
  run("shards-run", false, 5);
  run("shards-run", true);
  expect_same("text", "shards-run");
}

TEST_F(Runs, OfOtherWordsAreNotContinued) {
  recipe_.data.format = "wikitext";
  folder_.write("data/train.txt", "a b c d e f g h a b c d e f g h a b c\n");
  folder_.write("data/valid.txt", "a b c\n");
  recipe_.train.batch_size = 1;
  run("whole");
  run("run", false, 3);
  const std::string text = read_text(path("data/train.txt"));
  const auto before = content(path("run"));
  const std::string other = path("run/vocabulary.txt").string() + ": expected the words of " +
                            path("data").string() + ", got others";
  folder_.write("data/train.txt", "a b c d e f g x a b c d e f g x a b c\n");
  EXPECT_EQ(error<FormatError>(true), other) << "as many, with the same numbers";
  EXPECT_EQ(content(path("run")), before);
  folder_.write("data/train.txt", text);
  const std::string words = read_text(path("run/vocabulary.txt"));
  ASSERT_EQ(words.substr(0, 4), "a\nb\n");
  for (const std::string first : {"b\na\n", "a\nx\n"}) {
    folder_.write("run/vocabulary.txt", first + words.substr(4));
    EXPECT_EQ(error<FormatError>(true), other);
    EXPECT_EQ(read_text(path("run/vocabulary.txt")), first + words.substr(4));
  }
  fs::remove(path("run/vocabulary.txt"));
  EXPECT_EQ(error<IoError>(true),
            path("run/vocabulary.txt").string() + ": cannot open: No such file or directory");
  folder_.write("run/vocabulary.txt", words);
  EXPECT_EQ(content(path("run")), before);
  run("run", true);
  expect_same("whole", "run");
}

TEST_F(Runs, OfAShardFewerAreNotContinued) {
  recipe_.data.path = make_shards_of(path("data"), data::Format::kBytes);
  recipe_.data.format = "shards";
  run("whole");
  run("run", false, 3);
  const auto before = content(path("run"));
  const std::string whole = recipe_.data.path;
  for (const char* split : {"train", "valid"})
    folder_.write(std::string("fewer/") + split + ".txt",
                  read_text(path("data") / (std::string(split) + ".txt")).substr(0, 600));
  recipe_.data.path = make_shards_of(path("fewer"), data::Format::kBytes);
  for (const std::string shard : {"/train/shard-00000.tokens", "/train/shard-00001.tokens"})
    ASSERT_EQ(read_text(whole + shard), read_text(recipe_.data.path + shard));
  ASSERT_TRUE(fs::exists(whole + "/train/shard-00002.tokens"));
  const std::string message = error<FormatError>(true);
  EXPECT_EQ(message.find(recipe_.data.path +
                         ": expected the data that the run began with, got train \"600 tokens, crc64 "),
            0U)
      << message;
  EXPECT_NE(message.find(", not \"700 tokens, crc64 "), std::string::npos) << message;
  EXPECT_EQ(content(path("run")), before);
  recipe_.data.path = whole;
  run("run", true);
  expect_same("whole", "run");
}

TEST_F(Runs, StayAsTheyAreWhereTheyAreNotContinued) {
  for (const char* split : {"train", "valid"})
    folder_.write(std::string("words/") + split + ".txt", "a b c d e f g h a b c d e f g h a b c\n");
  const std::string bytes = make_shards_of(path("data"), data::Format::kBytes),
                    words = make_shards_of(path("words"), data::Format::kWikitext);
  recipe_.data.format = "shards";
  recipe_.data.path = bytes;
  run("run", false, 3);
  const auto before = content(path("run"));
  recipe_.data.path = words;
  EXPECT_NE(error<FormatError>(true).find("expected the data that the run began with"), std::string::npos);
  EXPECT_EQ(content(path("run")), before);
  recipe_.data.path = bytes;
  const std::string toml = read_text(path("run/recipe.toml"));
  for (const std::string& other : {std::string(), toml.substr(0, toml.rfind('=') + 1)}) {
    folder_.write("run/recipe.toml", other);
    EXPECT_EQ(error<FormatError>(true).find(path("run/recipe.toml").string() + ": "), 0U) << other;
    EXPECT_EQ(read_text(path("run/recipe.toml")), other);
  }
  fs::remove(path("run/recipe.toml"));
  EXPECT_NE(error<FormatError>(true).find("run/recipe.toml: "), std::string::npos) << "with any recipe";
  folder_.write("run/recipe.toml", toml);
  EXPECT_EQ(content(path("run")), before);
}

TEST_F(Runs, WhoseFilesAreOfAnotherKindAreNotContinued) {
  run("whole");
  run("run", false, 3);
  for (const std::string name : {"metrics.jsonl", "tensorboard", "checkpoints"}) {
    const fs::path place = path("run") / name;
    fs::rename(place, path("aside"));
    if (name == "metrics.jsonl") {
      fs::create_directory(place);
    } else {
      folder_.write("run/" + name, "");
    }
    EXPECT_EQ(error<IoError>(true).find(place.string() + ": "), 0U) << name << ": " << error<IoError>(true);
    fs::remove(place);
    fs::rename(path("aside"), place);
  }
  run("run", true);
  expect_same("whole", "run");
}

TEST_F(Runs, OnAnotherMachineSayThatBitsMayDiffer) {
  run("run", false, 3);
  recipe_.threads = 2;
  run("run", true);
  ASSERT_EQ(notes_.size(), 2U);
  EXPECT_EQ(notes_[0],
            "this is another machine (threads 2, not 1): the last bits may differ from those of an "
            "uninterrupted run");
}

TEST_F(Runs, ShareNoFolder) {
  fs::create_directories(path("run"));
  const io::FolderLock other(path("run"));
  EXPECT_EQ(error<IoError>(), path("run").string() + ": another run is writing in this folder");
}

TEST_F(Runs, NeedTheirDataAndLeaveNothingWithoutIt) {
  recipe_.data.path = path("none");
  EXPECT_NE(error<IoError>().find("none: expected a folder with the data"), std::string::npos);
  recipe_.data.path = path("data");
  fs::remove(path("data/valid.txt"));
  EXPECT_NE(error<IoError>().find("split valid: expected valid.txt, got none"), std::string::npos);
  folder_.write("data/valid.txt", "");
  EXPECT_NE(error<FormatError>().find("valid.txt: expected at least 2 tokens, got 0"), std::string::npos);
  folder_.write("data/valid.txt", "ab");
  folder_.write("data/train.txt", "0123456789abcdef");
  EXPECT_NE(error<FormatError>().find("train.txt: expected at least 17 tokens, got 16"), std::string::npos);
  folder_.write("data/train.txt", "0123456789abcdefg");
  EXPECT_EQ(error<std::exception>(), "no error") << "the folder holds no run yet";
}

TEST_F(Runs, StopAtALossThatIsNotFinite) {
  recipe_.optimizer.learning_rate = 1e6;
  recipe_.schedule.warmup_steps = 0;
  recipe_.optimizer.weight_decay = 1e3;
  recipe_.train.steps = 100;
  EXPECT_EQ(error<TrainingError>().substr(0, 5), "step ");
}

}  // namespace
}  // namespace cosformer::train::test
