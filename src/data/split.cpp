#include "data/split.h"

#include <vector>

#include "cosformer/error.h"

namespace cosformer::data {

Format parse_format(std::string_view name) {
  if (name == "bytes") return Format::kBytes;
  if (name == "wikitext") return Format::kWikitext;
  if (name == "shards") return Format::kShards;
  throw FormatError("data.format: expected bytes | wikitext | shards, got \"" + std::string(name) + '"');
}

std::filesystem::path split_file(const std::filesystem::path& folder, Format format,
                                 const std::string& split) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw IoError(folder.string() + ": expected a folder with the data, got " +
                  (std::filesystem::exists(folder, ignored) ? "something else" : "none"));
  }
  std::vector<std::string> names;
  if (format == Format::kWikitext) names.push_back("wiki." + split + ".tokens");
  names.push_back(split + ".txt");
  std::string expected;
  for (const std::string& name : names) {
    if (std::filesystem::exists(folder / name, ignored)) return folder / name;
    expected += (expected.empty() ? "" : " or ") + name;
  }
  throw IoError(folder.string() + ": split " + split + ": expected " + expected + ", got none");
}

}  // namespace cosformer::data
