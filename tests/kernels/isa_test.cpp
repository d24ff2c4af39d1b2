#include "cosformer/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cosformer/attention.h"

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
  for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx}) {
    if (available(isa)) {
      ask(name(isa), std::string("^") + name(isa) + "$");
    } else {
      ask(name(isa), std::string("^COSFORMER_ISA: this machine lacks ") + name(isa) + "; it has generic");
    }
  }
}

TEST(Isa, ThatTheMachineLacksIsRefusedByName) {
  for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx}) {
    if (available(isa)) continue;
    AttentionForward<float> call;
    try {
      attention_forward(call, {.isa = isa});
      ADD_FAILURE() << name(isa);
    } catch (const DeviceError& error) {
      EXPECT_EQ(error.what(), std::string("attention: this machine lacks ") + name(isa));
    }
  }
}

TEST(Isa, NamesGoThereAndBack) {
  for (const Isa isa : available_isas()) EXPECT_EQ(parse_isa(name(isa)), isa);
  EXPECT_THROW(parse_isa("AVX2"), DeviceError);
  EXPECT_EQ(available_isas().front(), Isa::generic);
}

}  // namespace
}  // namespace cosformer
