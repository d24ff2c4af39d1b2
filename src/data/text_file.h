#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "io/descriptor.h"

/// Texts larger than memory.
namespace cosformer::data {

/// A file that is read in pieces. Reading is safe from several threads at once.
class TextFile {
 public:
  /// @throws IoError if it cannot be opened or is no regular file
  explicit TextFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// When it was last changed, in nanoseconds of the system's clock.
  int64_t changed() const { return changed_; }

  /// @param to bytes within size() @throws IoError, also if the file has become shorter
  void read(uint64_t offset, std::span<char> to) const;

  /// The first place from `at` on where a word may begin: after a blank, or at an end of the text.
  /// @throws IoError; FormatError if a word is longer than a MiB
  uint64_t word_border(uint64_t at) const;

 private:
  std::filesystem::path path_;
  io::Descriptor file_;
  uint64_t size_ = 0;
  int64_t changed_ = 0;
};

/// The text from one word border to another in pieces of about a MiB, each of whole words. Where the text's
/// last line lacks its end, it is added.
class TextPieces {
 public:
  TextPieces(const TextFile& file, uint64_t begin, uint64_t end) : file_(file), at_(begin), end_(end) {}

  /// The next piece, good until the one after is asked for; empty at the end.
  /// @throws IoError, FormatError as TextFile does
  std::string_view next();

 private:
  const TextFile& file_;
  uint64_t at_, end_;
  std::string piece_;
};

}  // namespace cosformer::data
