#pragma once

#include <cstdint>
#include <string>

namespace cosformer::io::test {

/// A file of the format: the header's length, the header, the bytes.
inline std::string safetensors_file(const std::string& header, const std::string& bytes) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return file + header + bytes;
}

/// One entry of a header.
inline std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                         const std::string& begin, const std::string& end) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[)" + begin +
         "," + end + "]}";
}

}  // namespace cosformer::io::test
