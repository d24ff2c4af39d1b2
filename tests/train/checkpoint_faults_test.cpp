// The checkpoint store under errors, kills and power losses at each of its system calls.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "faults/inject.h"
#include "support/environment.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "train/checkpoint_store.h"
#include "train/metrics_file.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;
using test::Subject;
using test::Watch;

/// A save: its step, and a number of its own of which all its bytes are made.
struct Save {
  int64_t step;
  int number;
};

struct Content {
  explicit Content(const Save& save) : weights(3000), generator(17), state("{\"number\": ") {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<float>(save.number) + static_cast<float>(i) / 4096;
    }
    for (std::size_t i = 0; i < generator.size(); ++i) {
      generator[i] = static_cast<std::byte>(save.number + static_cast<int>(i));
    }
    state += std::to_string(save.number) + ", \"step\": " + std::to_string(save.step) + "}";
  }
  std::vector<io::TensorBytes> tensors() const {
    return {{"weights.a", "F32", {60, 50}, std::as_bytes(std::span(weights))},
            {"generator.cpu", "U8", {17}, generator}};
  }
  std::vector<float> weights;  ///< three pages
  std::vector<std::byte> generator;
  std::string state;
};

void save(const fs::path& run, const Save& save, int64_t keep) {
  const Content content(save);
  CheckpointStore(run / "checkpoints", keep).save(save.step, content.tensors(), content.state);
}

/// The number of the save that is loaded, 0 of none; all its bytes must be of that one save.
int load(const fs::path& run, int& damaged) {
  const auto stored =
      CheckpointStore(run / "checkpoints", 1).load_newest([&](const std::string&) { ++damaged; });
  if (!stored) return 0;
  const int number = nlohmann::json::parse(stored->state).at("number");
  const Content content({stored->step, number});
  EXPECT_EQ(stored->state, content.state);
  const auto expected = content.tensors();
  EXPECT_EQ(stored->tensors.tensors().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& got = stored->tensors.tensors().at(i);
    EXPECT_EQ(got.name, expected[i].name);
    EXPECT_TRUE(std::ranges::equal(got.bytes, expected[i].bytes)) << "a mixture";
  }
  return number;
}

/// Whether each folder that is listed as a checkpoint is whole, not the newest alone.
void expect_all_whole(const fs::path& run) {
  const fs::path folder = run / "checkpoints";
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with('.')) continue;
    test::Tree files = test::read_tree(entry.path());
    EXPECT_EQ(files.size(), 3U) << entry.path();
    EXPECT_TRUE(files.contains("manifest.json") && files["manifest.json"]->ends_with("}\n")) << entry.path();
  }
}

struct Case {
  std::string name;
  std::vector<Save> before;  ///< what lasts
  std::vector<Save> disturbed;
  int64_t keep = 2;
  std::string damaged = {};      ///< of those before, the file that is
  std::string left_behind = {};  ///< a folder
};

Subject subject_of(const Case& each) {
  const auto prepare = [each](const fs::path& run) {
    for (const Save& one : each.before) save(run, one, 10);
    const fs::path checkpoints = run / "checkpoints";
    if (!each.damaged.empty()) fs::resize_file(checkpoints / each.damaged, 10);
    if (!each.left_behind.empty()) {
      fs::create_directory(checkpoints / each.left_behind);
      std::ofstream(checkpoints / each.left_behind / "state.json") << "{";
    }
  };
  const auto act = [each](const fs::path& run, Watch& watch) {
    for (const Save& one : each.disturbed) {
      save(run, one, each.keep);
      watch.complete();
    }
  };
  const auto check = [each](const fs::path& run, int completed) {
    int damaged = 0;
    const int loaded = load(run, damaged);
    const bool starts_damaged = !each.damaged.empty();
    // Numbers grow: the one before, or one that was being saved and not yet done.
    int previous = 0;
    for (const Save& one : each.before) {
      if (!starts_damaged ||
          each.damaged.find("step-0000000" + std::to_string(one.step)) == std::string::npos) {
        previous = std::max(previous, one.number);
      }
    }
    const auto number_after = [&](int saves) {
      return saves == 0 ? previous : each.disturbed[static_cast<std::size_t>(saves) - 1].number;
    };
    const int last = static_cast<int>(each.disturbed.size());
    const bool is_right =
        loaded == number_after(completed) || loaded == number_after(std::min(completed + 1, last));
    EXPECT_TRUE(is_right) << "loaded " << loaded << " after " << completed << " saves";
    if (!starts_damaged) {
      EXPECT_EQ(damaged, 0);
      expect_all_whole(run);
    }
    // And the run goes on.
    const Save next{each.disturbed.back().step + 1, 100};
    const Watch unsynced(run);
    save(run, next, each.keep);
    EXPECT_EQ(load(run, damaged), next.number);
    for (const auto& entry : fs::directory_iterator(run / "checkpoints")) {
      EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << entry.path();
    }
    const auto steps = CheckpointStore(run / "checkpoints", each.keep).steps();
    EXPECT_LE(static_cast<int64_t>(steps.size()), each.keep);
  };
  return {each.name, prepare, act, check};
}

const std::vector<Case> kSingle = {
    {"the first", {}, {{1, 1}}},
    {"a second", {{1, 1}}, {{2, 2}}},
    {"one too many", {{1, 1}, {2, 2}}, {{3, 3}}},
    {"the only one is kept", {{1, 1}}, {{2, 2}}, 1},
    {"several too many", {{1, 1}, {2, 2}, {3, 3}}, {{4, 4}}, 1},
    {"of a step that is there", {{1, 1}, {2, 2}}, {{2, 3}}},
    {"of the only step that is there", {{1, 1}}, {{1, 2}}, 1},
    {"of a step that is damaged", {{1, 1}, {2, 2}}, {{2, 3}}, 2, "step-00000002/state.safetensors"},
    {"before one that is damaged", {{1, 1}, {3, 2}}, {{2, 3}}, 2, "step-00000003/manifest.json"},
    {"after a kill", {{1, 1}}, {{2, 2}}, 2, "", ".step-00000002"},
};
const Case kRun = {"four in a row", {}, {{1, 1}, {2, 2}, {3, 3}, {4, 4}}, 2};

/// metrics.jsonl of a run that goes on after step 2 of three and was killed in the middle of a line.
Subject metrics() {
  const auto line = [](int64_t step) { return "{\"step\":" + std::to_string(step) + "}\n"; };
  const auto write = [](const fs::path& run, int64_t last_step, const std::vector<int64_t>& steps) {
    MetricsFile file(run / "metrics.jsonl", last_step);
    for (const int64_t step : steps) file.write({{"step", step}});
    file.sync();
  };
  return {"metrics",
          [=](const fs::path& run) {
            std::ofstream(run / "metrics.jsonl") << line(1) << line(2) << line(3) << "{\"st";
          },
          [=](const fs::path& run, Watch& watch) {
            write(run, 2, {3, 4});
            watch.complete();
            write(run, 4, {5});
            watch.complete();
          },
          [=](const fs::path& run, int completed) {
            // As a resume does, from the checkpoint that was written after each sync.
            const int64_t last = completed == 0 ? 2 : 3 + completed;
            const Watch unsynced(run);
            write(run, last, {last + 1});
            std::string expected;
            for (int64_t step = 1; step <= last + 1; ++step) expected += line(step);
            EXPECT_EQ(test::read_text(run / "metrics.jsonl"), expected);
          }};
}

/// The same in an empty folder.
Subject new_metrics() {
  Subject subject = metrics();
  subject.name = "new metrics";
  subject.prepare = [](const fs::path&) {};
  subject.act = [](const fs::path& run, Watch& watch) {
    MetricsFile file(run / "metrics.jsonl", 0);
    for (const int64_t step : {1, 2, 3, 4}) file.write({{"step", step}});
    file.sync();
    watch.complete();
  };
  subject.check = [check = subject.check](const fs::path& run, int completed) {
    if (completed > 0) check(run, completed);
  };
  return subject;
}

class CheckpointFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const bool all = test::number_from("COSFORMER_ALL_FAULTS", 0) != 0;  // 100,000, minutes
    const std::size_t every = test::kSanitized && !all ? 7 : 1, cuts = all ? 1 : 13;
    injector_ = std::make_unique<test::Injector>(
        test::fastest_folder() / ("cosformer.checkpoint_faults." + std::to_string(::getpid())), every, cuts,
        test::kSanitized ? 4 : 48);
  }
  static void TearDownTestSuite() {
    for (const auto& [kind, count] : injector_->counts()) std::printf("%8zu  %s\n", count, kind.c_str());
    std::printf("%8zu  faults injected into the checkpoint store and metrics.jsonl\n", injector_->total());
    injector_.reset();
  }
  inline static std::unique_ptr<test::Injector> injector_;
};

TEST_F(CheckpointFaults, Errors) {
  for (const Case& each : kSingle) injector_->fail_each_call(subject_of(each));
  injector_->fail_each_call(subject_of(kRun));
}

TEST_F(CheckpointFaults, Kills) {
  for (const Case& each : kSingle) injector_->kill_at_each_call(subject_of(each));
  injector_->kill_at_each_call(subject_of(kRun));
}

TEST_F(CheckpointFaults, PowerLosses) {
  for (const Case& each : kSingle) injector_->lose_power(subject_of(each));
  injector_->lose_power(subject_of(kRun));
}

TEST_F(CheckpointFaults, ErrorsThenPowerLosses) {
  for (const Case& each : kSingle) injector_->fail_and_lose_power(subject_of(each));
}

TEST_F(CheckpointFaults, KillsThenPowerLosses) {
  for (const Case& each : kSingle) injector_->kill_and_lose_power(subject_of(each));
}

TEST_F(CheckpointFaults, Metrics) {
  for (const Subject& each : {metrics(), new_metrics()}) {
    injector_->fail_each_call(each);
    injector_->kill_at_each_call(each);
    injector_->lose_power(each);
    injector_->fail_and_lose_power(each);
  }
}

}  // namespace
}  // namespace cosformer::train
