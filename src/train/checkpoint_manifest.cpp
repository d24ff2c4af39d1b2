#include "train/checkpoint_manifest.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "io/atomic_file.h"
#include "io/build_info.h"
#include "io/checksum.h"
#include "io/mapped_file.h"
#include "io/sealed_json.h"
#include "train/checkpoint_store.h"

namespace cosformer::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kManifest = "manifest.json";

Json size_and_checksum(const std::vector<std::span<const std::byte>>& parts) {
  std::size_t size = 0;
  uint64_t crc = 0;
  for (const auto part : parts) {
    size += part.size();
    crc = io::crc64(part, crc);
  }
  return {{"bytes", size}, {"crc64", io::crc64_text(crc)}};
}

}  // namespace

void write_manifest(const std::filesystem::path& checkpoint, const std::vector<CheckpointFile>& files) {
  Json json;
  json["format_version"] = kCheckpointVersion;
  for (const CheckpointFile& file : files) json["files"][file.name] = size_and_checksum(file.parts);
  io::write_file(checkpoint / kManifest, io::sealed(std::move(json)));
}

void check_manifest(const std::filesystem::path& checkpoint, const std::vector<std::string>& files) {
  const std::filesystem::path path = checkpoint / kManifest;
  const Json json = io::read_sealed(path);
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
