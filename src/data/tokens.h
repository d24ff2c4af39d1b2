#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "data/tokenizer.h"
#include "io/mapped_file.h"

namespace cosformer::data {

/// The tokens of one split, in the order of the text.
class Tokens {
 public:
  explicit Tokens(io::MappedFile bytes) : tokens_(std::move(bytes)) {}
  explicit Tokens(std::vector<int32_t> tokens) : tokens_(std::move(tokens)) {}

  int64_t size() const;
  /// Copies the tokens from `begin` on.
  /// @param to as many of them, all within size()
  void copy(int64_t begin, std::span<int64_t> to) const;

 private:
  std::variant<io::MappedFile, std::vector<int32_t>> tokens_;
};

/// Reads a split; bytes stay in the memory-mapped file.
/// @param least tokens, for the split to be of use
/// @throws IoError; FormatError if there are fewer than `least`
Tokens read_split(const std::filesystem::path& folder, Format format, const std::string& split,
                  const Tokenizer& tokenizer, int64_t least);

}  // namespace cosformer::data
