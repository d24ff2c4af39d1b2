#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/mapped_file.h"

/// A file of tokens with a checksum a block; docs/files.md says where everything stands in it.
namespace cosformer::data {

/// Bytes that share a checksum: few enough to be read for one sequence in any order of sequences.
inline constexpr uint64_t kShardBlock = 65536;

/// Bytes a token needs, 1, 2 or 4, with so many tokens in the vocabulary.
int token_bytes(int64_t vocabulary_size);

/// Writes a shard from its first token to its last; the file is there when it is whole.
class ShardWriter {
 public:
  /// @throws IoError
  ShardWriter(const std::filesystem::path& path, int token_bytes, uint64_t tokens);
  /// @param data tokens, little endian @throws IoError
  void write(std::span<const std::byte> data);
  /// @throws IoError; FormatError if there were fewer or more tokens than announced
  void finish();

 private:
  void end_block();

  std::filesystem::path path_;
  io::NewFile file_;
  std::vector<std::byte> head_, block_;
  std::size_t blocks_ = 0, data_left_;
};

/// A shard, memory-mapped. Its sizes and header are checked when it is opened, each block when it is first
/// read. Reading is safe from several threads at once.
class ShardFile {
 public:
  /// @throws IoError; FormatError naming the file if it is no shard, of another version or of another length
  /// than its header says
  explicit ShardFile(std::filesystem::path path);

  int64_t size() const { return static_cast<int64_t>(tokens_); }
  int token_bytes() const { return static_cast<int>(token_bytes_); }
  /// Of the header with its checksums of blocks, and so of all.
  uint64_t checksum() const { return checksum_; }

  /// Copies the tokens from `begin` on.
  /// @param to as many of them, all within size()
  /// @throws FormatError naming the file and the first block that is damaged
  void copy(int64_t begin, std::span<int64_t> to) const;
  /// Reads all blocks. @throws FormatError as copy does
  void check() const;

 private:
  uint64_t field(std::size_t offset, std::size_t bytes) const;
  void check_block(std::size_t block) const;

  std::filesystem::path path_;
  io::MappedFile file_;
  uint64_t token_bytes_ = 0, tokens_ = 0, block_bytes_ = 0, checksum_ = 0;
  std::span<const std::byte> data_;
  std::unique_ptr<std::atomic<bool>[]> checked_;
};

}  // namespace cosformer::data
