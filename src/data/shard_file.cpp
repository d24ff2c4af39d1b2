#include "data/shard_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "cosformer/error.h"
#include "io/checksum.h"

namespace cosformer::data {
namespace {

static_assert(std::endian::native == std::endian::little);

// Offsets in the header; checksums of blocks follow it, and then the tokens.
constexpr std::string_view kMagic = "cosfshrd";
constexpr uint64_t kVersion = 1;
constexpr std::size_t kVersionAt = 8, kTokenBytesAt = 12, kTokensAt = 16, kBlockBytesAt = 24, kHeader = 32;

constexpr uint64_t kMostTokens = uint64_t{1} << 48;

std::size_t divided_up(uint64_t value, uint64_t by) {
  return static_cast<std::size_t>(value / by + (value % by != 0 ? 1 : 0));
}

void set_field(std::vector<std::byte>& head, std::size_t offset, uint64_t value, std::size_t bytes) {
  std::memcpy(head.data() + offset, &value, bytes);
}

template <class Token>
void widen(std::span<const std::byte> from, std::span<int64_t> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    Token token;
    std::memcpy(&token, from.data() + i * sizeof(Token), sizeof(Token));
    to[i] = token;
  }
}

}  // namespace

int token_bytes(int64_t vocabulary_size) {
  return vocabulary_size <= 1 << 8 ? 1 : vocabulary_size <= 1 << 16 ? 2 : 4;
}

ShardWriter::ShardWriter(const std::filesystem::path& path, int token_bytes, uint64_t tokens)
    : path_(path),
      file_(path),
      head_(kHeader + 8 * divided_up(tokens * static_cast<uint64_t>(token_bytes), kShardBlock)),
      data_left_(tokens * static_cast<uint64_t>(token_bytes)) {
  std::memcpy(head_.data(), kMagic.data(), kMagic.size());
  set_field(head_, kVersionAt, kVersion, 4);
  set_field(head_, kTokenBytesAt, static_cast<uint64_t>(token_bytes), 4);
  set_field(head_, kTokensAt, tokens, 8);
  set_field(head_, kBlockBytesAt, kShardBlock, 8);
  block_.reserve(kShardBlock);
  file_.write(head_);  // holds the place of the checksums
}

void ShardWriter::write(std::span<const std::byte> data) {
  if (data.size() > data_left_) throw FormatError(path_.string() + ": expected no more tokens, got some");
  data_left_ -= data.size();
  while (!data.empty()) {
    const std::size_t count = std::min<std::size_t>(data.size(), kShardBlock - block_.size());
    block_.insert(block_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
    data = data.subspan(count);
    if (block_.size() == kShardBlock) end_block();
  }
}

void ShardWriter::end_block() {
  set_field(head_, kHeader + 8 * blocks_++, io::crc64(block_), 8);
  file_.write(block_);
  block_.clear();
}

void ShardWriter::finish() {
  if (data_left_ != 0) {
    throw FormatError(path_.string() + ": expected " + std::to_string(data_left_) +
                      " more bytes of tokens, got none");
  }
  if (!block_.empty()) end_block();
  file_.write_at(0, head_);
  file_.take_place();
}

ShardFile::ShardFile(std::filesystem::path path) : path_(std::move(path)), file_(path_) {
  const auto refuse = [&](const std::string& what) {
    throw FormatError(path_.string() + ": expected " + what);
  };
  const std::span<const std::byte> bytes = file_.bytes();
  if (bytes.size() < kHeader || !file_.text().starts_with(kMagic))
    refuse("a shard of tokens, got something else");
  if (const uint64_t version = field(kVersionAt, 4); version != kVersion) {
    refuse("version " + std::to_string(kVersion) + " of the format, got " + std::to_string(version));
  }
  token_bytes_ = field(kTokenBytesAt, 4);
  tokens_ = field(kTokensAt, 8);
  block_bytes_ = field(kBlockBytesAt, 8);
  if ((token_bytes_ != 1 && token_bytes_ != 2 && token_bytes_ != 4) || tokens_ > kMostTokens ||
      block_bytes_ == 0 || block_bytes_ % 8 != 0) {
    refuse("a header with sizes in their ranges, got others");
  }
  const uint64_t data_bytes = tokens_ * token_bytes_;
  const std::size_t blocks = divided_up(data_bytes, block_bytes_);
  const uint64_t whole = kHeader + 8 * uint64_t{blocks} + data_bytes;
  if (bytes.size() != whole) {
    refuse(std::to_string(whole) + " bytes, got " + std::to_string(bytes.size()));
  }
  checksum_ = io::crc64(bytes.first(kHeader + 8 * blocks));
  data_ = bytes.subspan(kHeader + 8 * blocks);
  checked_ = std::make_unique<std::atomic<bool>[]>(blocks);
}

uint64_t ShardFile::field(std::size_t offset, std::size_t bytes) const {
  uint64_t value = 0;
  std::memcpy(&value, file_.bytes().data() + offset, bytes);
  return value;
}

void ShardFile::check_block(std::size_t block) const {
  if (checked_[block].load(std::memory_order_relaxed)) return;
  const std::size_t begin = block * block_bytes_;
  const uint64_t got =
      io::crc64(data_.subspan(begin, std::min<std::size_t>(block_bytes_, data_.size() - begin)));
  const uint64_t expected = field(kHeader + 8 * block, 8);
  if (got != expected) {
    throw FormatError(path_.string() + ": block " + std::to_string(block) + ": expected checksum " +
                      io::crc64_text(expected) + ", got " + io::crc64_text(got));
  }
  checked_[block].store(true, std::memory_order_relaxed);
}

void ShardFile::copy(int64_t begin, std::span<int64_t> to) const {
  if (to.empty()) return;
  const std::size_t first = static_cast<std::size_t>(begin) * token_bytes_, bytes = to.size() * token_bytes_;
  for (std::size_t block = first / block_bytes_; block * block_bytes_ < first + bytes; ++block)
    check_block(block);
  const std::span<const std::byte> from = data_.subspan(first, bytes);
  if (token_bytes_ == 1) {
    widen<uint8_t>(from, to);
  } else if (token_bytes_ == 2) {
    widen<uint16_t>(from, to);
  } else {
    widen<uint32_t>(from, to);
  }
}

void ShardFile::check() const {
  for (std::size_t block = 0; block * block_bytes_ < data_.size(); ++block) check_block(block);
}

}  // namespace cosformer::data
