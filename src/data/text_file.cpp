#include "data/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "cosformer/error.h"
#include "data/windows.h"

namespace cosformer::data {
namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20, kLongestWord = uint64_t{1} << 20;

}  // namespace

TextFile::TextFile(std::filesystem::path path)
    : path_(std::move(path)), file_(path_, O_RDONLY | O_NONBLOCK, "open") {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) io::fail(path_, "read", errno);
  if (!S_ISREG(status.st_mode)) throw IoError(path_.string() + ": expected a file, got something else");
  size_ = static_cast<uint64_t>(status.st_size);
  changed_ = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

void TextFile::read(uint64_t offset, std::span<char> to) const {
  while (!to.empty()) {
    const ssize_t count = ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::fail(path_, "read", errno);
    if (count == 0) {
      throw IoError(path_.string() + ": expected " + std::to_string(size_) + " bytes, got " +
                    std::to_string(offset));
    }
    offset += static_cast<uint64_t>(count);
    to = to.subspan(static_cast<std::size_t>(count));
  }
}

uint64_t TextFile::word_border(uint64_t at) const {
  if (at == 0) return 0;
  std::array<char, 256> bytes{};
  for (uint64_t before = at - 1; before < size_;) {
    if (before > at + kLongestWord) {
      throw FormatError(path_.string() + ": byte " + std::to_string(at) + ": expected a word of at most " +
                        std::to_string(kLongestWord) + " bytes, got a longer one");
    }
    const auto some = std::span(bytes).first(std::min<uint64_t>(bytes.size(), size_ - before));
    read(before, some);
    const auto blank = std::find_if(some.begin(), some.end(), is_blank);
    before += static_cast<uint64_t>(blank - some.begin());
    if (blank != some.end()) return before + 1;
  }
  return size_;
}

std::string_view TextPieces::next() {
  if (at_ == end_) return {};
  const uint64_t next = std::min(end_, file_.word_border(std::min(end_, at_ + kPiece)));
  piece_.resize(next - at_);
  file_.read(at_, piece_);
  at_ = next;
  if (at_ == file_.size() && piece_.back() != '\n') piece_ += '\n';
  return piece_;
}

}  // namespace cosformer::data
