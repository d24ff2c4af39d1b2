#include "cosformer/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace cosformer {
namespace {

TEST(IsaDeathTest, EnvironmentIsAnUpperBound) {
  // selected_isa() reads the environment once, so each question is asked of a process of its own.
  const auto ask = [](const char* value, const std::string& expected) {
    EXPECT_EXIT(
        {
          setenv("COSFORMER_ISA", value, 1);
          try {
            std::fprintf(stderr, "%s", name(selected_isa()));
          } catch (const DeviceError& error) {
            std::fprintf(stderr, "%s", error.what());
          }
          std::exit(0);
        },
        testing::ExitedWithCode(0), expected);
  };
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  ask("generic", "^generic$");
  ask("", name(available_isas().back()));
  ask("sse9",
      "COSFORMER_ISA: instruction set must be one of generic, avx2, avx512, avx512_bf16, amx, got 'sse9'");
}

TEST(Isa, NamesGoThereAndBack) {
  for (const Isa isa : available_isas()) EXPECT_EQ(parse_isa(name(isa)), isa);
  EXPECT_THROW(parse_isa("AVX2"), DeviceError);
  EXPECT_EQ(available_isas().front(), Isa::generic);
}

}  // namespace
}  // namespace cosformer
