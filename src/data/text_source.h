#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// The text of a file or of all files below a folder.
namespace cosformer::data {

struct SourceFile {
  std::string path;  ///< relative to the folder
  uint64_t bytes = 0;
};

struct LeftOut {
  std::string path;
  std::string why;
};

struct TextSource {
  std::string text;               ///< the files' bytes, each file ended by a line end
  std::vector<SourceFile> files;  ///< in the order of the text: by path, byte for byte
  std::vector<LeftOut> left_out;
};

inline constexpr uint64_t kMostText = uint64_t{1} << 30;  ///< bytes that read_text takes

/// Whether bytes are text: no NUL, and at most one byte in ten that is neither part of a UTF-8 character nor
/// printable. So text in Latin-1 is text; UTF-16, archives and pictures are not.
bool is_text(std::string_view bytes);

/// Reads every file once: symbolic links below `source` are not followed (`source` itself may be one), hard
/// links and files of identical bytes count once. What is empty, not text, no regular file or not readable is
/// left out and listed. Folders are walked to any depth, hidden ones too.
/// @throws IoError naming `source` if nothing has that name or it cannot be read; FormatError if it holds no
/// text, or more than kMostText Time and memory: the bytes of the text, each read once and kept once. A file
/// that another program cuts short meanwhile ends the process with SIGBUS (mapped_file.h).
TextSource read_text(const std::filesystem::path& source);

}  // namespace cosformer::data
