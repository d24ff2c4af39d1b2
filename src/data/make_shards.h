#pragma once

#include <functional>

#include "data/shard_plan.h"

namespace cosformer::data {

inline constexpr int64_t kShardTokens = int64_t{1} << 26;

struct ShardsMade {
  struct Split {
    std::string split;
    int64_t tokens;
    std::size_t shards;
  };
  std::vector<Split> splits;
  int64_t vocabulary_size = 0;
  std::size_t kept = 0;  ///< shards that an earlier run has made
};

/// The splits of a text that are there, of train, valid and test.
/// @throws IoError if there are none
std::vector<std::string> splits_of_text(const std::filesystem::path& source, Format format);

/// Makes token shards of a text (docs/files.md): a folder a split, and index.json, which comes last. Where
/// `output` holds some of the same source and flags, whole ones are kept and the others made. What is there
/// at the end is the same, to the byte, for any number of workers and interruptions.
/// @param workers threads, at least 1 @param on_shard after each shard: how many are there, of how many;
/// from any of the threads, one at a time
/// @throws IoError; FormatError if a text is empty, has changed meanwhile, or `output` holds something else
/// Memory: about 2 MiB a worker; for words also the vocabulary, and 8 MiB of text's words a worker.
ShardsMade make_shards(const ShardRequest& request, int workers, const std::filesystem::path& output,
                       const std::function<void(std::size_t, std::size_t)>& on_shard);

}  // namespace cosformer::data
