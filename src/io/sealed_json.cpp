#include "io/sealed_json.h"

#include <span>

#include "cosformer/error.h"
#include "io/checksum.h"
#include "io/mapped_file.h"

namespace cosformer::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKey = "crc64";

std::string checksum(const Json& json) {
  const std::string text = json.dump();
  return crc64_text(crc64(std::as_bytes(std::span(text))));
}

}  // namespace

std::string sealed(Json json) {
  json[kKey] = checksum(json);
  return json.dump(2) + '\n';
}

Json read_sealed(const std::filesystem::path& path) {
  const MappedFile file(path);
  Json json = Json::parse(file.text(), nullptr, false);
  if (!json.is_object() || !json.contains(kKey)) {
    throw FormatError(path.string() + ": expected a JSON object with crc64, got something else");
  }
  const Json expected = json[kKey];
  json.erase(kKey);
  if (expected != checksum(json)) {
    throw FormatError(path.string() + ": expected checksum " + expected.dump() + ", got \"" + checksum(json) +
                      '"');
  }
  return json;
}

}  // namespace cosformer::io
