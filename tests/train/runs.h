#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/errors.h"
#include "support/temporary_folder.h"
#include "train/tiny_recipe.h"
#include "train/train.h"

/// Runs of a tiny model in a folder of the test.
namespace cosformer::train::test {

namespace fs = std::filesystem;
using cosformer::test::message_of;
using cosformer::test::read_text;

/// Metrics without times.
inline std::vector<nlohmann::json> metrics(const fs::path& run) {
  std::istringstream text(read_text(run / "metrics.jsonl"));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);) {
    auto json = nlohmann::json::parse(line);
    for (const std::string ending : {"_seconds", "_per_second"}) {
      for (auto entry = json.begin(); entry != json.end();) {
        entry = entry.key().ends_with(ending) ? json.erase(entry) : std::next(entry);
      }
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

class Runs : public testing::Test {
 protected:
  void SetUp() override {
    recipe_.data.path = folder_.path() / "data";
    folder_.write("data/train.txt", tiny_text(700, 1));
    folder_.write("data/valid.txt", tiny_text(100, 2));
  }

  TrainResult run(const std::string& name, bool resume = false, int64_t signal_at = -1) {
    notes_.clear();
    return train(recipe_, folder_.path() / name, {resume, initial_model_},
                 {[&](const TrainProgress& progress) {
                    if (progress.step == signal_at) std::raise(SIGTERM);
                  },
                  [&](const std::string& line) { notes_.push_back(line); }});
  }
  void expect_same(const std::string& a, const std::string& b) const {
    for (const char* file : {"model.safetensors", "best/model.safetensors", "config.json",
                             "checkpoints/step-00000012/state.safetensors"}) {
      EXPECT_EQ(read_text(folder_.path() / a / file), read_text(folder_.path() / b / file)) << file;
    }
    EXPECT_EQ(metrics(folder_.path() / a), metrics(folder_.path() / b));
  }
  template <class E>
  std::string error(bool resume = false) {
    return message_of<E>([&] { run("run", resume); });
  }
  fs::path path(const std::string& name) const { return folder_.path() / name; }

  const cosformer::test::TemporaryFolder folder_;
  Recipe recipe_ = tiny_recipe();
  fs::path initial_model_;
  std::vector<std::string> notes_;
};

}  // namespace cosformer::train::test
