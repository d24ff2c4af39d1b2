#include "train/metrics_file.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <string>

#include "io/atomic_file.h"
#include "io/folder.h"
#include "io/mapped_file.h"

namespace cosformer::train {
namespace {

/// Rewrites the file where a line is of a later step or none at all.
const std::filesystem::path& cut(const std::filesystem::path& path, int64_t last_step) {
  if (!std::filesystem::exists(path)) return path;
  const io::MappedFile file(path);
  std::string kept;
  for (std::string_view text = file.text(); !text.empty();) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    const auto line = nlohmann::json::parse(text.substr(0, end), nullptr, false);
    const bool has_step = line.is_object() && line.contains("step") && line["step"].is_number_integer();
    if (has_step && line["step"].get<int64_t>() <= last_step) kept += text.substr(0, end + 1);
    text.remove_prefix(end + 1);
  }
  if (kept != file.text()) io::write_file(path, kept);
  return path;
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path, int64_t last_step)
    : file_(cut(path, last_step), O_WRONLY | O_APPEND | O_CREAT, "open") {
  io::sync_folder(io::folder_of(path));
}

void MetricsFile::write(const nlohmann::ordered_json& line) {
  file_.write(line.dump() + '\n');
}

void MetricsFile::sync() {
  file_.sync();
}

}  // namespace cosformer::train
