#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/shard_file.h"

namespace cosformer::data {

/// The tokens of one split in shards that `cosformer data shard` has made.
class Shards {
 public:
  /// Opens all shards of a split; their blocks are checked as they are read.
  /// @throws IoError, FormatError naming the file that is absent or does not agree with index.json
  Shards(const std::filesystem::path& folder, const std::string& split);

  int64_t size() const { return begins_.back(); }
  /// As Tokens::copy. Safe from several threads at once.
  void copy(int64_t begin, std::span<int64_t> to) const;
  /// Of the checksums of all shards.
  uint64_t checksum() const { return checksum_; }

 private:
  std::vector<ShardFile> files_;
  std::vector<int64_t> begins_ = {0};  ///< of each file in the split, and the split's end
  uint64_t checksum_ = 0;
};

}  // namespace cosformer::data
