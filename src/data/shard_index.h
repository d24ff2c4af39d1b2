#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/split.h"

namespace cosformer::data {

/// Where a shard of a split lies: train/shard-00000.tokens.
std::string shard_name(const std::string& split, std::size_t number);

/// index.json of a folder of shards: written last, so that where it is all shards are.
struct ShardIndex {
  struct Shard {
    int64_t tokens = 0;
    uint64_t checksum = 0;  ///< ShardFile::checksum
  };

  Format tokenizer = Format::kBytes;  ///< what a token is
  int64_t vocabulary_size = 256;
  std::string vocabulary_checksum;  ///< CRC-64 of vocabulary.txt; empty where tokens are bytes
  std::map<std::string, std::vector<Shard>> splits;

  /// @throws IoError
  void save(const std::filesystem::path& folder) const;
  /// @throws IoError; FormatError if it is damaged or of another version
  static ShardIndex load(const std::filesystem::path& folder);
};

}  // namespace cosformer::data
