#pragma once

#include <cstdint>
#include <cstdlib>

namespace cosformer::test {

inline uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace cosformer::test
