#include "data/tokens.h"

#include <algorithm>

#include "cosformer/error.h"
#include "data/words.h"

namespace cosformer::data {
namespace {

std::vector<int32_t> words(std::string_view text, const Vocabulary& vocabulary) {
  std::vector<int32_t> tokens;
  for_each_word_of_file(
      text, [&](std::string_view word) { tokens.push_back(static_cast<int32_t>(vocabulary.token(word))); });
  return tokens;
}

}  // namespace

int64_t Tokens::size() const {
  const auto* bytes = std::get_if<io::MappedFile>(&tokens_);
  return static_cast<int64_t>(bytes ? bytes->bytes().size() : std::get<std::vector<int32_t>>(tokens_).size());
}

void Tokens::copy(int64_t begin, std::span<int64_t> to) const {
  if (const auto* file = std::get_if<io::MappedFile>(&tokens_)) {
    const auto from = file->bytes().subspan(static_cast<std::size_t>(begin), to.size());
    std::transform(from.begin(), from.end(), to.begin(),
                   [](std::byte byte) { return std::to_integer<int64_t>(byte); });
  } else {
    const auto& tokens = std::get<std::vector<int32_t>>(tokens_);
    std::copy_n(tokens.begin() + begin, to.size(), to.begin());
  }
}

Tokens read_split(const std::filesystem::path& folder, Format format, const std::string& split,
                  const Tokenizer& tokenizer, int64_t least) {
  const std::filesystem::path path = split_file(folder, format, split);
  io::MappedFile file(path);
  Tokens tokens =
      tokenizer.vocabulary() ? Tokens(words(file.text(), *tokenizer.vocabulary())) : Tokens(std::move(file));
  if (tokens.size() < least) {
    throw FormatError(path.string() + ": expected at least " + std::to_string(least) + " tokens, got " +
                      std::to_string(tokens.size()));
  }
  return tokens;
}

}  // namespace cosformer::data
