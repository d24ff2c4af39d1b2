#include "data/batch_stream.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <set>

#include "cosformer/error.h"
#include "data/make_shards.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::data {
namespace {

constexpr uint64_t kSeed = 11;

Sequences numbered(int64_t tokens, int64_t length) {
  std::vector<int32_t> numbers(static_cast<std::size_t>(tokens));
  std::iota(numbers.begin(), numbers.end(), 0);
  return {Tokens(std::move(numbers)), length};
}

/// First inputs of the rows, which tell the sequences.
std::vector<int64_t> rows_of(const std::vector<Batch>& batches) {
  std::vector<int64_t> rows;
  for (const Batch& batch : batches) {
    for (int64_t row = 0; row < batch.rows; ++row)
      rows.push_back(batch.inputs[static_cast<std::size_t>(row * batch.length)]);
  }
  return rows;
}

TEST(BatchStream, GivesTheOrderStepByStep) {
  // 25 sequences of 4 tokens and a shorter one; 6 a step, so that steps reach over epochs.
  BatchStream stream(numbered(103, 4), {2, 3}, kSeed);
  SequenceOrder order(26, kSeed);
  for (int64_t place = 0; place < 26 * 6;) {
    const std::vector<Batch> batches = stream.next();
    ASSERT_EQ(batches.size(), 3U);
    for (const int64_t row : rows_of(batches)) EXPECT_EQ(row, 4 * order.at(place++));
    EXPECT_EQ(stream.position(), place);
  }
}

TEST(BatchStream, EveryEpochHasEverySequenceOnce) {
  // Of 26, which batches of 4 do not divide: some reach over epochs.
  BatchStream stream(numbered(103, 4), {4, 1}, kSeed);
  std::vector<int64_t> rows;
  while (rows.size() < 26 * 4) {
    for (const int64_t row : rows_of(stream.next())) rows.push_back(row);
  }
  for (auto epoch = rows.begin(); epoch != rows.end(); epoch += 26) {
    EXPECT_EQ(std::set<int64_t>(epoch, epoch + 26).size(), 26U);
  }
}

TEST(BatchStream, IsTheSameHoweverFarAheadAndFromAnyPosition) {
  BatchStream whole(numbered(1000, 7), {4, 2}, kSeed);
  std::vector<std::vector<int64_t>> steps;
  for (int i = 0; i < 60; ++i) steps.push_back(rows_of(whole.next()));
  for (const std::size_t ahead : {1, 2, 50}) {
    BatchStream stream(numbered(1000, 7), {4, 2}, kSeed, ahead);
    for (const int64_t step : {0, 59, 17, 18, 3}) {
      stream.seek(8 * step);
      EXPECT_EQ(stream.position(), 8 * step);
      for (int64_t i = step; i < std::min<int64_t>(step + 5, 60); ++i)
        EXPECT_EQ(rows_of(stream.next()), steps[static_cast<std::size_t>(i)]) << i;
    }
  }
}

TEST(BatchStream, SeeksInAnInstant) {
  BatchStream stream(numbered(100'000, 3), {4, 1}, kSeed);
  const auto start = std::chrono::steady_clock::now();
  stream.seek(int64_t{4} << 50);
  stream.next();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(BatchStream, EndsWhereverItsThreadIs) {
  for (int i = 0; i < 50; ++i) {
    BatchStream stream(numbered(1000, 7), {4, 2}, kSeed, 1 + static_cast<std::size_t>(i % 3));
    if (i % 2 == 1) stream.next();
    if (i % 5 == 4) stream.seek(i);
  }
}

TEST(BatchStream, CountsWhatItWaited) {
  BatchStream stream(numbered(1'000'000, 100'000), {8, 1}, kSeed, 1);
  for (int i = 0; i < 20; ++i) stream.next();  // Nothing else is done meanwhile.
  const double waited = stream.take_seconds_waited();
  EXPECT_GT(waited, 0);
  EXPECT_LT(waited, 100);
  EXPECT_EQ(stream.take_seconds_waited(), 0);
}

TEST(BatchStream, ADamagedBlockIsThrownWhereItIsReached) {
  const test::TemporaryFolder folder;
  folder.write("text/train.txt", std::string(300'000, 'a'));
  make_shards({folder.path() / "text", Format::kBytes, {"train"}, 200'000}, 1, folder.path() / "shards",
              [](std::size_t, std::size_t) {});
  const std::string name = "shards/train/shard-00001.tokens";
  std::string bytes = test::read_text(folder.path() / name);
  bytes.back() = 'b';
  folder.write(name, bytes);
  // Sequences of 50,000: of 6 the last one, alone in its block, is damaged.
  const auto read = [&] { return Sequences(Tokens(Shards(folder.path() / "shards", "train")), 50'000); };
  SequenceOrder order(6, kSeed);
  int64_t damaged = 0;
  while (order.at(damaged) != 5) ++damaged;
  BatchStream stream(read(), {1, 1}, kSeed, 2);
  for (int64_t i = 0; i < damaged; ++i) stream.next();
  for (int i = 0; i < 2; ++i) {
    const std::string message = test::message_of<FormatError>([&] { stream.next(); });
    EXPECT_EQ(message.find((folder.path() / name).string() + ": block 1: expected checksum "), 0U) << message;
    EXPECT_EQ(stream.position(), damaged);
  }
  stream.seek(damaged + 1);
  EXPECT_NO_THROW(stream.next());
}

}  // namespace
}  // namespace cosformer::data
