#include "data/tokenizer.h"

#include <utility>

#include "cosformer/error.h"
#include "data/shard_index.h"
#include "data/words.h"
#include "io/checksum.h"
#include "io/mapped_file.h"

namespace cosformer::data {
namespace {

Tokenizer of_shards(const std::filesystem::path& folder) {
  const ShardIndex index = ShardIndex::load(folder);
  if (index.tokenizer == Format::kBytes) return {};
  Vocabulary vocabulary = Vocabulary::load(folder);
  const std::string text = vocabulary.text(),
                    checksum = io::crc64_text(io::crc64(std::as_bytes(std::span(text))));
  if (checksum != index.vocabulary_checksum) {
    throw FormatError((folder / kVocabularyFile).string() + ": expected checksum " +
                      index.vocabulary_checksum + " as index.json says, got " + checksum);
  }
  return Tokenizer(std::move(vocabulary));
}

}  // namespace

Tokenizer Tokenizer::of_data(const std::filesystem::path& folder, Format format) {
  if (format == Format::kBytes) return {};
  if (format == Format::kShards) return of_shards(folder);
  return Tokenizer(Vocabulary::of_text(io::MappedFile(split_file(folder, format, "train")).text()));
}

Tokenizer Tokenizer::load(const std::filesystem::path& folder, Format format, int64_t vocabulary_size) {
  // The vocabulary alone tells which kind of shards it was.
  const bool is_bytes = format == Format::kBytes ||
                        (format == Format::kShards && !std::filesystem::exists(folder / kVocabularyFile));
  Tokenizer tokenizer = is_bytes ? Tokenizer() : Tokenizer(Vocabulary::load(folder));
  if (tokenizer.vocabulary_size() != vocabulary_size) {
    throw FormatError(folder.string() + ": expected " + std::to_string(vocabulary_size) +
                      " tokens, as the model has, got " + std::to_string(tokenizer.vocabulary_size()) +
                      (is_bytes ? " of bytes" : std::string(" of ") + kVocabularyFile));
  }
  return tokenizer;
}

void Tokenizer::save(const std::filesystem::path& folder) const {
  if (vocabulary_) vocabulary_->save(folder);
}

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int64_t> tokens;
  if (vocabulary_) {
    for_each_word(text, [&](std::string_view word) { tokens.push_back(vocabulary_->token(word)); });
  } else {
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  }
  return tokens;
}

std::string Tokenizer::decode(int64_t token, std::optional<int64_t> before) const {
  if (!vocabulary_) return {static_cast<char>(token)};
  if (token == vocabulary_->end_of_line()) return "\n";
  const bool begins_line = !before || *before == vocabulary_->end_of_line();
  return (begins_line ? "" : " ") + vocabulary_->word(token);
}

std::string Tokenizer::decode(std::span<const int64_t> tokens) const {
  std::string text;
  std::optional<int64_t> before;
  for (const int64_t token : tokens) {
    text += decode(token, before);
    before = token;
  }
  return text;
}

}  // namespace cosformer::data
