#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

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
  std::ostringstream text;
  text << '"' << name << R"(":{"dtype":")" << dtype << R"(","shape":)" << shape << R"(,"data_offsets":[)"
       << begin << ',' << end << "]}";
  return text.str();
}

inline std::string header_of(const std::vector<std::string>& entries) {
  std::string text(1, '{');
  for (const std::string& one : entries) {
    if (text.size() > 1) text += ',';
    text += one;
  }
  return text += '}';
}

}  // namespace cosformer::io::test
