#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace cosformer::io {

/// The text of a JSON object with its own checksum added as `crc64`.
std::string sealed(nlohmann::ordered_json json);

/// The object of a file that holds such a text, without `crc64`.
/// @throws IoError; FormatError naming the file if it holds something else or the checksum does not fit
nlohmann::ordered_json read_sealed(const std::filesystem::path& path);

}  // namespace cosformer::io
