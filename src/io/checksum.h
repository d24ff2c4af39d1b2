#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cosformer::io {

/// CRC-64/XZ: reflected polynomial 0x42F0E1EBA9EA3693, of "123456789" 0x995DC9BBDF1939FA.
/// @param before that of the bytes in front of these; 0 of none
uint64_t crc64(std::span<const std::byte> bytes, uint64_t before = 0);

/// 16 lower-case digits.
std::string crc64_text(uint64_t crc);

}  // namespace cosformer::io
