#include "io/checksum.h"

#include <gtest/gtest.h>

namespace cosformer::io {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Crc64, HasThePublishedCheckValue) {
  EXPECT_EQ(crc64(bytes("123456789")), 0x995DC9BBDF1939FA);
  EXPECT_EQ(crc64_text(0x995DC9BBDF1939FA), "995dc9bbdf1939fa");
  EXPECT_EQ(crc64_text(0xF), "000000000000000f");
  EXPECT_EQ(crc64({}), 0U);
}

/// Bit by bit, from the definition.
uint64_t slow_crc64(std::string_view text) {
  uint64_t crc = ~uint64_t{0};
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0xC96C5795D7870F42 : 0);
  }
  return ~crc;
}

TEST(Crc64, EightBytesAStepAreAsGoodAsOne) {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(crc64(bytes(text)), slow_crc64(text)) << i;
    text += static_cast<char>(37 * i + 11);
  }
}

TEST(Crc64, GoesOnAfterAnyCut) {
  const std::string_view text = "a text of more than eight bytes";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc64(bytes(text.substr(cut)), crc64(bytes(text.substr(0, cut)))), crc64(bytes(text))) << cut;
  }
}

TEST(Crc64, EveryBitCounts) {
  std::string text(100, 'x');
  const uint64_t before = crc64(bytes(text));
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(crc64(bytes(text)), before) << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace cosformer::io
