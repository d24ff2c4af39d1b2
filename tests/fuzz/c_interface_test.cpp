// The fuzzer's entry point over random bytes, as far as a test run has time. COSFORMER_FUZZ_CASES sets how
// many (50,000; 10,000 under sanitizers), COSFORMER_FUZZ_SEED where they begin.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "support/environment.h"
#include "support/sanitized.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace cosformer::test {
namespace {

TEST(Fuzz, ArbitraryCallsAreRefusedOrStayInTheirMemory) {
  const uint64_t first = number_from("COSFORMER_FUZZ_SEED", 1);
  const uint64_t cases = number_from("COSFORMER_FUZZ_CASES", kSanitized ? 10'000 : 50'000);
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 engine(seed);
    std::vector<uint8_t> bytes(engine() % 512);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(engine());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
}

}  // namespace
}  // namespace cosformer::test
