#include "train/checkpoint_manifest.h"

#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "io/build_info.h"
#include "io/mapped_file.h"
#include "train/checkpoint_store.h"
#include "train/checksum.h"

namespace cosformer::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kManifest = "manifest.json";

Json size_and_checksum(const std::vector<std::span<const std::byte>>& parts) {
  std::size_t size = 0;
  uint64_t crc = 0;
  for (const auto part : parts) {
    size += part.size();
    crc = crc64(part, crc);
  }
  return {{"bytes", size}, {"crc64", crc64_text(crc)}};
}

std::string checksum(const Json& json) {
  const std::string text = json.dump();
  return crc64_text(crc64(std::as_bytes(std::span(text))));
}

/// The manifest without its own checksum, which fits.
Json read(const std::filesystem::path& path) {
  const io::MappedFile file(path);
  Json json = Json::parse(file.text(), nullptr, false);
  if (!json.is_object() || !json.contains("crc64")) {
    throw FormatError(path.string() + ": expected a JSON object with crc64, got something else");
  }
  const Json expected = json["crc64"];
  json.erase("crc64");
  if (expected != checksum(json)) {
    throw FormatError(path.string() + ": expected checksum " + expected.dump() + ", got \"" + checksum(json) +
                      '"');
  }
  return json;
}

}  // namespace

void write_manifest(const std::filesystem::path& checkpoint, const std::vector<CheckpointFile>& files) {
  Json json;
  json["format_version"] = kCheckpointVersion;
  for (const CheckpointFile& file : files) json["files"][file.name] = size_and_checksum(file.parts);
  json["crc64"] = checksum(json);
  io::write_file(checkpoint / kManifest, json.dump(2) + '\n');
}

void check_manifest(const std::filesystem::path& checkpoint, const std::vector<std::string>& files) {
  const std::filesystem::path path = checkpoint / kManifest;
  const Json json = read(path);
  const Json version = json.value("format_version", Json());
  if (!version.is_number_integer() || version != kCheckpointVersion) {
    throw NewerFormat(path.string() + ": expected format version " + std::to_string(kCheckpointVersion) +
                      ", the one that cosformer " + io::version() + " reads, got " + version.dump());
  }
  for (const std::string& name : files) {
    const io::MappedFile file(checkpoint / name);
    const Json got = size_and_checksum({file.bytes()});
    const Json expected = json.value("files", Json::object()).value(name, Json());
    if (got != expected) {
      throw FormatError((checkpoint / name).string() + ": expected " + expected.dump() + ", got " +
                        got.dump());
    }
  }
}

}  // namespace cosformer::train
