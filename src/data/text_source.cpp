#include "data/text_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "cosformer/error.h"
#include "io/descriptor.h"
#include "io/mapped_file.h"
#include "io/xml_text.h"

namespace cosformer::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStrangeShare = 10;  // One strange byte in so many is still text.

/// Gathers files one after the other.
class Gatherer {
 public:
  explicit Gatherer(const fs::path& source) : source_(source) {}

  /// `status` is the file's own, not that of what a link points to.
  void add(const std::string& path, const fs::path& place, const struct stat& status) {
    if (const auto why = reason_to_leave_out(path, status)) {
      leave_out(path, *why);
      return;
    }
    try {
      const io::MappedFile file(place);
      add_bytes(path, file.text());
    } catch (const IoError& error) {
      leave_out(path, std::string(error.what()).substr(place.string().size() + 2));
    }
  }

  void leave_out(const std::string& path, const std::string& why) { result_.left_out.push_back({path, why}); }

  TextSource take() { return std::move(result_); }

 private:
  std::optional<std::string> reason_to_leave_out(const std::string& path, const struct stat& status) {
    if (S_ISLNK(status.st_mode)) return "symbolic link";
    if (!S_ISREG(status.st_mode)) return "not a regular file";
    if (status.st_size == 0) return "empty";
    const auto [twin, added] = inodes_.try_emplace({status.st_dev, status.st_ino}, path);
    if (!added) return "hard link of " + twin->second;
    return std::nullopt;
  }

  void add_bytes(const std::string& path, std::string_view bytes) {
    if (!is_text(bytes)) return leave_out(path, "not text");
    const auto same_hash = contents_.equal_range(std::hash<std::string_view>{}(bytes));
    for (auto i = same_hash.first; i != same_hash.second; ++i) {
      const auto& [begin, index] = i->second;
      const SourceFile& other = result_.files[index];
      if (std::string_view(result_.text).substr(begin, other.bytes) == bytes) {
        return leave_out(path, "same content as " + other.path);
      }
    }
    if (bytes.size() > kMostText - std::min<uint64_t>(kMostText, result_.text.size())) {
      throw FormatError(source_.string() + ": expected at most " + std::to_string(kMostText) +
                        " bytes of text, got more");
    }
    contents_.emplace(std::hash<std::string_view>{}(bytes),
                      std::pair(result_.text.size(), result_.files.size()));
    result_.files.push_back({path, bytes.size()});
    result_.text += bytes;
    if (bytes.back() != '\n') result_.text += '\n';
  }

  const fs::path& source_;
  TextSource result_;
  std::map<std::pair<dev_t, ino_t>, std::string> inodes_;
  std::multimap<std::size_t, std::pair<std::size_t, std::size_t>> contents_;  // hash: begin, index of file
};

struct Found {
  std::string path;  // relative
  struct stat status;
};

/// Everything below a folder but folders, by path.
std::vector<Found> walk(const fs::path& folder, Gatherer& gatherer) {
  std::vector<Found> found;
  std::vector<fs::path> left = {{}};
  while (!left.empty()) {
    const fs::path inner = left.back();
    left.pop_back();
    std::error_code error;
    fs::directory_iterator entries(folder / inner, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      const fs::path path = inner / entries->path().filename();
      struct stat status {};
      if (::lstat(entries->path().c_str(), &status) != 0) {
        gatherer.leave_out(path.string(), std::strerror(errno));
      } else if (S_ISDIR(status.st_mode)) {
        left.push_back(path);
      } else {
        found.push_back({path.string(), status});
      }
    }
    if (error && inner.empty()) io::fail(folder, "read", error.value());
    if (error) gatherer.leave_out(inner.string(), "cannot read: " + error.message());
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.path < b.path; });
  return found;
}

[[noreturn]] void no_text(const fs::path& source, const std::vector<LeftOut>& left_out, bool folder) {
  std::string got = "no file";
  if (!left_out.empty()) {
    const LeftOut& first = left_out.front();
    got = folder ? std::to_string(left_out.size()) + " without (" + first.path + ": " + first.why + ")"
                 : first.why;
  }
  throw FormatError(source.string() + ": expected " + (folder ? "files of text, got " : "text, got: ") + got);
}

}  // namespace

bool is_text(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) return false;
  const std::size_t most = bytes.size() / kStrangeShare;
  std::size_t strange = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = io::character_length(bytes, at);
    if (length == 0 && ++strange > most) return false;
    at += std::max<std::size_t>(length, 1);
  }
  return true;
}

TextSource read_text(const fs::path& source) {
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) io::fail(source, "read", errno);
    throw IoError(source.string() + ": expected a file or a folder, got nothing of that name");
  }
  Gatherer gatherer(source);
  const bool folder = S_ISDIR(status.st_mode);
  if (folder) {
    for (const Found& file : walk(source, gatherer)) gatherer.add(file.path, source / file.path, file.status);
  } else {
    gatherer.add(source.filename().string(), source, status);
  }
  TextSource result = gatherer.take();
  if (result.files.empty()) no_text(source, result.left_out, folder);
  return result;
}

}  // namespace cosformer::data
