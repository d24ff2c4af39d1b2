#include "cli/describe_cpu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cosformer/kernel_choice.h"

namespace cosformer::cli {
namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    all.push_back(text.substr(at, text.find('\n', at) - at));
  return all;
}

TEST(DescribeCpu, HasALineForEachSetAndSaysWhyOneIsNotAvailable) {
  const std::vector<std::string> all = lines(describe_cpu());
  ASSERT_EQ(all.size(), 2U + 5U) << "processor, titles, sets";
  EXPECT_EQ(all[0], processor_name());
  const Isa sets[] = {Isa::generic, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx};
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string& line = all[2 + i];
    EXPECT_EQ(line.substr(0, line.find(' ')), name(sets[i]));
    EXPECT_EQ(line.find("not available: ") == std::string::npos, available(sets[i])) << line;
    EXPECT_EQ(unavailable_because(sets[i]).empty(), available(sets[i])) << line;
    EXPECT_NE(line.find(unavailable_because(sets[i])), std::string::npos) << line;
    EXPECT_EQ(line.find("float32") != std::string::npos, sets[i] == kernel_isa<float>()) << line;
    EXPECT_EQ(line.find("bfloat16", 11) != std::string::npos, sets[i] == kernel_isa<bfloat16>()) << line;
  }
}

TEST(DescribeCpuDeathTest, TheEnvironmentBoundsWhatIsChosen) {
  // The environment is read once, so a process of its own is asked.
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("COSFORMER_ISA", "generic", 1);
        std::fputs(lines(describe_cpu())[2].c_str(), stderr);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^generic .* float32 and bfloat16 .* available$");
}

}  // namespace
}  // namespace cosformer::cli
