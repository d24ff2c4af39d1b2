// The memory that surrounds what kernels are tested on.

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "cosformer/bfloat16.h"
#include "cosformer/float16.h"
#include "kernels/device_copy.h"

namespace cosformer::test {
namespace {

template <class T>
class Guards : public testing::Test {};
using Numbers = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(Guards, Numbers);

TYPED_TEST(Guards, AreNaNAndNoticeWrites) {
  if (!kDeviceIsEmulated || kSanitized) GTEST_SKIP() << "looks at the memory itself";
  using T = TypeParam;
  constexpr int kElements = 5;
  for (const int at : {-1, kElements}) {
    std::vector<T> here(kElements, T(1.0F));
    DeviceCopies copies;
    T* there = copies.copy(here.data(), kElements);
    EXPECT_TRUE(std::isnan(static_cast<float>(there[at])));
    EXPECT_EQ(static_cast<float>(there[0]), 1);
    there[0] = T(2.0F);
    EXPECT_NO_THROW(copies.bring_back());
    EXPECT_EQ(static_cast<float>(here[0]), 2);
    there[at] = T(0.0F);
    EXPECT_THROW(copies.bring_back(), std::runtime_error);
  }
}

}  // namespace
}  // namespace cosformer::test
