#include "io/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace cosformer::io {
namespace {

constexpr uint64_t kReflectedPolynomial = 0xC96C5795D7870F42;

/// tables[k][b]: what byte b leaves behind after k further bytes of zero. Eight of them take eight bytes a
/// step.
using Tables = std::array<std::array<uint64_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const uint64_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();
static_assert(std::endian::native == std::endian::little);

}  // namespace

uint64_t crc64(std::span<const std::byte> bytes, uint64_t before) {
  uint64_t crc = ~before;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    crc ^= word;
    uint64_t next = 0;
    for (std::size_t k = 0; k < 8; ++k) next ^= kTables[7 - k][(crc >> (8 * k)) & 0xFF];
    crc = next;
  }
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<uint64_t>(byte)) & 0xFF];
  }
  return ~crc;
}

std::string crc64_text(uint64_t crc) {
  std::string text;
  for (int digit = 15; digit >= 0; --digit) text += "0123456789abcdef"[(crc >> (4 * digit)) & 0xF];
  return text;
}

}  // namespace cosformer::io
