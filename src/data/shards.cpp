#include "data/shards.h"

#include <algorithm>

#include "cosformer/error.h"
#include "data/shard_index.h"
#include "io/checksum.h"

namespace cosformer::data {
namespace {

void require_equal(const std::filesystem::path& file, const char* what, const std::string& expected,
                   const std::string& got) {
  if (expected == got) return;
  throw FormatError(file.string() + ": expected " + what + ' ' + expected + " as index.json says, got " +
                    got);
}

}  // namespace

Shards::Shards(const std::filesystem::path& folder, const std::string& split) {
  const ShardIndex index = ShardIndex::load(folder);
  const auto found = index.splits.find(split);
  if (found == index.splits.end()) {
    std::string splits;
    for (const auto& [name, shards] : index.splits) splits += (splits.empty() ? "" : ", ") + name;
    throw IoError(folder.string() + ": split " + split + ": expected one of " + splits);
  }
  std::vector<uint64_t> checksums;
  for (const ShardIndex::Shard& shard : found->second) {
    const std::filesystem::path path = folder / shard_name(split, files_.size());
    const ShardFile& file = files_.emplace_back(path);
    require_equal(path, "tokens", std::to_string(shard.tokens), std::to_string(file.size()));
    require_equal(path, "bytes a token", std::to_string(token_bytes(index.vocabulary_size)),
                  std::to_string(file.token_bytes()));
    require_equal(path, "checksum of the header", io::crc64_text(shard.checksum),
                  io::crc64_text(file.checksum()));
    checksums.push_back(file.checksum());
    begins_.push_back(begins_.back() + file.size());
  }
  checksum_ = io::crc64(std::as_bytes(std::span(checksums)));
}

void Shards::copy(int64_t begin, std::span<int64_t> to) const {
  auto file =
      static_cast<std::size_t>(std::upper_bound(begins_.begin(), begins_.end(), begin) - begins_.begin()) - 1;
  for (; !to.empty(); ++file) {
    const int64_t count = std::min(static_cast<int64_t>(to.size()), begins_[file + 1] - begin);
    files_[file].copy(begin - begins_[file], to.first(static_cast<std::size_t>(count)));
    begin += count;
    to = to.subspan(static_cast<std::size_t>(count));
  }
}

}  // namespace cosformer::data
