#include "train/checkpoint_store.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cosformer/error.h"
#include "io/checksum.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

class Store : public testing::Test {
 protected:
  void save(int64_t step, int64_t keep = 3) const {
    const std::vector<float> values = {static_cast<float>(step), 2, 3};
    CheckpointStore(folder(), keep)
        .save(step, {{"weights", "F32", {3}, std::as_bytes(std::span(values))}},
              "{\"step\": " + std::to_string(step) + "}");
  }
  fs::path folder() const { return temporary_.path() / "checkpoints"; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  fs::path file(const std::string& step, const std::string& name) const {
    return folder() / ("step-" + step) / name;
  }
  /// The step that is loaded; -1 if none is there. Notes go to notes_.
  int64_t load() {
    notes_.clear();
    const auto loaded =
        CheckpointStore(folder(), 3).load_newest([&](const std::string& line) { notes_.push_back(line); });
    if (!loaded) return -1;
    EXPECT_EQ(loaded->state, "{\"step\": " + std::to_string(loaded->step) + "}");
    const auto& tensor = loaded->tensors.tensors().at(0);
    EXPECT_EQ(tensor.name, "weights");
    float value = 0;
    std::memcpy(&value, tensor.bytes.data(), sizeof value);
    EXPECT_EQ(value, static_cast<float>(loaded->step));
    return loaded->step;
  }
  void overwrite(const fs::path& path, const std::string& text) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }

  const test::TemporaryFolder temporary_;
  std::vector<std::string> notes_;
};

TEST_F(Store, IsEmptyAtFirst) {
  EXPECT_EQ(load(), -1);
  EXPECT_TRUE(CheckpointStore(folder(), 3).steps().empty());
}

TEST_F(Store, LoadsTheNewestAndKeepsTheLast) {
  for (const int64_t step : {5, 10, 100, 1000, 123456789}) save(step);
  EXPECT_EQ(CheckpointStore(folder(), 3).steps(), (std::vector<int64_t>{100, 1000, 123456789}));
  EXPECT_TRUE(fs::exists(file("00000100", "state.json")));
  EXPECT_EQ(load(), 123456789);
  save(123456790, 1);
  EXPECT_EQ(CheckpointStore(folder(), 3).steps(), std::vector<int64_t>{123456790});
}

TEST_F(Store, ADamagedOneIsSaidAndTheOneBeforeUsed) {
  save(1);
  save(2);
  for (const std::string name : {"state.json", "state.safetensors", "manifest.json"}) {
    const fs::path path = file("00000002", name);
    const std::string whole = test::read_text(path);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      overwrite(path, whole.substr(0, length));
      // The manifest's last character is a line end, without which it says the same.
      const bool harmless = name == "manifest.json" && length + 1 == whole.size();
      EXPECT_EQ(load(), harmless ? 2 : 1) << name << " cut after " << length;
      EXPECT_EQ(notes_.size(), harmless ? 0U : 1U);
    }
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      overwrite(path, flipped);
      const bool is_space = std::isspace(static_cast<unsigned char>(whole[bit / 8])) != 0;
      // Between the manifest's words one space may become another.
      if (name == "manifest.json" && is_space && load() == 2) continue;
      EXPECT_EQ(load(), 1) << name << " with bit " << bit << " flipped";
      ASSERT_EQ(notes_.size(), 1U);
      EXPECT_NE(notes_[0].find("damaged checkpoint: " + path.string()), std::string::npos) << notes_[0];
    }
    fs::remove(path);
    EXPECT_EQ(load(), 1) << name << " removed";
    overwrite(path, whole);
    EXPECT_EQ(load(), 2);
  }
}

TEST_F(Store, WithoutAWholeOneThereIsAnError) {
  save(1);
  save(2);
  overwrite(file("00000001", "state.json"), "");
  overwrite(file("00000002", "state.json"), "");
  EXPECT_EQ(test::message_of<FormatError>([&] { load(); }),
            folder().string() + ": expected a whole checkpoint, got 2 damaged");
  EXPECT_EQ(notes_.size(), 2U);
}

TEST_F(Store, ANewerFormatIsRefusedByName) {
  save(1);
  save(2);
  const fs::path path = file("00000002", "manifest.json");
  auto manifest = nlohmann::ordered_json::parse(test::read_text(path));
  manifest.erase("crc64");
  manifest["format_version"] = kCheckpointVersion + 1;
  const std::string text = manifest.dump();
  manifest["crc64"] = io::crc64_text(io::crc64(std::as_bytes(std::span(text))));
  overwrite(path, manifest.dump());
  const std::string error = test::message_of<FormatError>([&] { load(); });
  EXPECT_NE(error.find("manifest.json: expected format version 1"), std::string::npos) << error;
  EXPECT_NE(error.find("got 2"), std::string::npos) << error;
}

TEST_F(Store, WhatARunWentBackBehindIsRemoved) {
  save(1);
  save(2);
  save(3);
  overwrite(file("00000003", "state.json"), "");
  overwrite(file("00000002", "state.json"), "");
  EXPECT_EQ(load(), 1);
  save(2, 1);
  EXPECT_EQ(CheckpointStore(folder(), 1).steps(), std::vector<int64_t>{2});
  EXPECT_EQ(load(), 2);
}

TEST_F(Store, OneOfTheSameStepTakesItsPlace) {
  save(1);
  const std::vector<float> values = {2, 2, 2};
  for (const std::string edition : {".2", ".3"}) {
    CheckpointStore(folder(), 3).save(1, {{"again", "F32", {3}, std::as_bytes(std::span(values))}}, edition);
    EXPECT_TRUE(fs::exists(file("00000001" + edition, "state.json")));
    EXPECT_EQ(CheckpointStore(folder(), 3).steps(), std::vector<int64_t>{1});
    const auto loaded =
        CheckpointStore(folder(), 3).load_newest([](const std::string& line) { ADD_FAILURE() << line; });
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->state, edition);
    EXPECT_EQ(loaded->tensors.tensors().at(0).name, "again");
  }
  save(2, 1);
  EXPECT_EQ(names(), std::vector<std::string>{"step-00000002"});
}

TEST_F(Store, AnUnfinishedOneIsNoCheckpoint) {
  save(1);
  fs::create_directories(folder() / ".step-00000007");
  overwrite(folder() / ".step-00000007" / "state.json", "{}");
  for (const char* other : {"step-x", "step-", "step-3.", "step--3", "step-3.2x", ".other"})
    overwrite(folder() / other, "");
  EXPECT_EQ(load(), 1);
  save(2);
  EXPECT_EQ(CheckpointStore(folder(), 3).steps(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(names(), (std::vector<std::string>{".other", "step-", "step--3", "step-00000001", "step-00000002",
                                               "step-3.", "step-3.2x", "step-x"}));
}

}  // namespace
}  // namespace cosformer::train
