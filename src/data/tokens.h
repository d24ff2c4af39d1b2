#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "data/shards.h"
#include "data/tokenizer.h"
#include "io/mapped_file.h"

namespace cosformer::data {

/// The tokens of one split, in the order of the text.
class Tokens {
 public:
  explicit Tokens(io::MappedFile bytes) : tokens_(std::move(bytes)) {}
  explicit Tokens(std::vector<int32_t> tokens) : tokens_(std::move(tokens)) {}
  explicit Tokens(Shards shards) : tokens_(std::move(shards)) {}

  int64_t size() const;
  /// Copies the tokens from `begin` on.
  /// @param to as many of them, all within size()
  /// @throws FormatError if a block of a shard is damaged
  void copy(int64_t begin, std::span<int64_t> to) const;
  /// Tells other data from these: "1000 tokens, crc64 995dc9bbdf1939fa". Takes a look at every token, but
  /// not of shards.
  std::string identity() const;

 private:
  std::variant<io::MappedFile, std::vector<int32_t>, Shards> tokens_;
};

/// Reads a split; bytes and shards stay in the memory-mapped files.
/// @param least tokens, for the split to be of use
/// @throws IoError; FormatError if there are fewer than `least`
Tokens read_split(const std::filesystem::path& folder, Format format, const std::string& split,
                  const Tokenizer& tokenizer, int64_t least);

}  // namespace cosformer::data
