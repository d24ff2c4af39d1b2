#include "data/tokens.h"

#include <algorithm>

#include "cosformer/error.h"
#include "data/words.h"
#include "io/checksum.h"

namespace cosformer::data {
namespace {

std::vector<int32_t> words(std::string_view text, const Vocabulary& vocabulary) {
  std::vector<int32_t> tokens;
  for_each_word_of_file(
      text, [&](std::string_view word) { tokens.push_back(static_cast<int32_t>(vocabulary.token(word))); });
  return tokens;
}

Tokens of_text(io::MappedFile file, const Tokenizer& tokenizer) {
  if (!tokenizer.vocabulary()) return Tokens(std::move(file));
  return Tokens(words(file.text(), *tokenizer.vocabulary()));
}

}  // namespace

int64_t Tokens::size() const {
  struct Size {
    std::size_t operator()(const io::MappedFile& file) const { return file.bytes().size(); }
    std::size_t operator()(const std::vector<int32_t>& tokens) const { return tokens.size(); }
    std::size_t operator()(const Shards& shards) const { return static_cast<std::size_t>(shards.size()); }
  };
  return static_cast<int64_t>(std::visit(Size{}, tokens_));
}

void Tokens::copy(int64_t begin, std::span<int64_t> to) const {
  struct Copy {
    int64_t begin;
    std::span<int64_t> to;
    void operator()(const io::MappedFile& file) const {
      const auto from = file.bytes().subspan(static_cast<std::size_t>(begin), to.size());
      std::transform(from.begin(), from.end(), to.begin(),
                     [](std::byte byte) { return std::to_integer<int64_t>(byte); });
    }
    void operator()(const std::vector<int32_t>& tokens) const {
      std::copy_n(tokens.begin() + begin, to.size(), to.begin());
    }
    void operator()(const Shards& shards) const { shards.copy(begin, to); }
  };
  std::visit(Copy{begin, to}, tokens_);
}

std::string Tokens::identity() const {
  struct Checksum {
    uint64_t operator()(const io::MappedFile& file) const { return io::crc64(file.bytes()); }
    uint64_t operator()(const std::vector<int32_t>& tokens) const {
      return io::crc64(std::as_bytes(std::span(tokens)));
    }
    uint64_t operator()(const Shards& shards) const { return shards.checksum(); }
  };
  return std::to_string(size()) + " tokens, crc64 " + io::crc64_text(std::visit(Checksum{}, tokens_));
}

Tokens read_split(const std::filesystem::path& folder, Format format, const std::string& split,
                  const Tokenizer& tokenizer, int64_t least) {
  const bool is_text = format != Format::kShards;
  const std::filesystem::path path = is_text ? split_file(folder, format, split) : folder / split;
  Tokens tokens = is_text ? of_text(io::MappedFile(path), tokenizer) : Tokens(Shards(folder, split));
  if (tokens.size() < least) {
    throw FormatError(path.string() + ": expected at least " + std::to_string(least) + " tokens, got " +
                      std::to_string(tokens.size()));
  }
  return tokens;
}

}  // namespace cosformer::data
