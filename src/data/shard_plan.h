#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/split.h"
#include "data/text_file.h"
#include "data/vocabulary.h"

namespace cosformer::data {

/// What decides over the bytes of shards.
struct ShardRequest {
  std::filesystem::path source;  ///< a folder as data.path is for `format`
  Format format = Format::kBytes;
  std::vector<std::string> splits;
  int64_t shard_tokens = 0;
};

/// Where the tokens of a shard begin: `skip` tokens after a word border of the text.
struct ShardBegin {
  uint64_t byte = 0, skip = 0;
};

struct SplitPlan {
  std::string split;
  TextFile text;
  int64_t tokens = 0;
  std::vector<ShardBegin> begins;
};

/// Which tokens stand in which shard, known before one is written, so that each can be made by itself.
struct ShardPlan {
  std::vector<SplitPlan> splits;
  std::optional<Vocabulary> vocabulary;  ///< of the train split; none where tokens are bytes

  int64_t vocabulary_size() const { return vocabulary ? vocabulary->size() : 256; }
  /// Tokens of a shard.
  static int64_t tokens_of(const SplitPlan& split, std::size_t shard, int64_t shard_tokens);
};

/// The plan in a folder (plan.json and vocabulary.txt), or a new one that is then stored there. Bytes need no
/// look at the text, words one pass over it; memory is that of the vocabulary and some pieces of the text.
/// @throws IoError; FormatError if a text is empty, or the plan there is one of another source or other flags
ShardPlan plan_shards(const ShardRequest& request, int workers, const std::filesystem::path& folder);

}  // namespace cosformer::data
