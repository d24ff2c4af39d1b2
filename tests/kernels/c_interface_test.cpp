// The C interface gives what the C++ one gives.

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "cosformer/cosformer.h"
#include "cosformer/cuda.h"
#include "kernels/good_call.h"

namespace cosformer::test {
namespace {

using Good = GoodCall<float>;

TEST(CInterface, GivesTheBitsOfTheCppInterface) {
  for (const Isa isa : available_isas()) {
    const Context context(name(isa), 2);
    Good good;
    ASSERT_EQ(cosformer_attention_forward(context.get(), &good.call), COSFORMER_OK) << context.message();
    ASSERT_EQ(cosformer_attention_backward(context.get(), &good.call), COSFORMER_OK) << context.message();
    const Results expected = run_kernels(good.c, good.in, {.isa = isa, .width = 2});
    const auto doubles = [](const auto& v) { return std::vector<double>(v.begin(), v.end()); };
    const Results actual{good.output.values(),  doubles(good.denominator), doubles(good.S_out),
                         doubles(good.z_out),   good.d_query.values(),     good.d_key.values(),
                         good.d_value.values(), doubles(good.dS),          doubles(good.dz)};
    EXPECT_EQ(find_difference(actual, expected), "") << name(isa);
    EXPECT_EQ(context.message(), "");
  }
}

TEST(CInterface, StepsAdvanceTheirPositions) {
  const Context context;
  Good good;
  int64_t position[] = {0, 5};
  good.call.Tq = good.call.Tk = 1;
  EXPECT_EQ(cosformer_attention_step(context.get(), &good.call, position), COSFORMER_OK) << context.message();
  EXPECT_EQ(position[0], 1);
  EXPECT_EQ(position[1], 6);
}

TEST(CInterface, DoublesGoThroughTheReference) {
  const Context context;
  Good good;
  const Inputs<double> in(good.c, false);
  Tensor<double> output(2, 20, 4, 12);
  cosformer_call call = good.call;
  call.dtype = COSFORMER_FLOAT64;
  call.query = tensor(in.query.view());
  call.key = tensor(in.key.view());
  call.value = tensor(in.value.view());
  call.output = tensor(output.view());
  call.denominator = call.S_out = call.z_out = nullptr;
  call.S = in.S.data();
  call.z = in.z.data();
  ASSERT_EQ(cosformer_attention_forward(context.get(), &call), COSFORMER_OK) << context.message();
  EXPECT_EQ(output.values(), run_reference(good.c, in).output);
}

TEST(CInterface, AStructThatEndsBeforeTheDeviceIsForTheCpu) {
  const Context context;
  Good good;
  good.call.size = offsetof(cosformer_call, device);
  good.call.device = good.call.device_number = 99;
  good.call.stream = &good;
  EXPECT_EQ(cosformer_attention_forward(context.get(), &good.call), COSFORMER_OK) << context.message();
}

TEST(CInterface, ABuildWithoutKernelsForGpusSaysSo) {
  if (cuda::is_built()) GTEST_SKIP() << "this one has them";
  const Context context;
  Good good;
  good.call.device = COSFORMER_CUDA;
  EXPECT_FALSE(cosformer_cuda_is_available());
  EXPECT_EQ(cosformer_attention_forward(context.get(), &good.call), COSFORMER_NO_DEVICE);
  EXPECT_EQ(context.message(),
            "attention: this build has no CUDA kernels, expected one configured with COSFORMER_CUDA=ON");
}

TEST(CInterface, ContextsSayWhatIsWrong) {
  cosformer_context* context = nullptr;
  EXPECT_EQ(cosformer_create(nullptr, nullptr, 0), COSFORMER_BAD_ARGUMENT);
  EXPECT_STREQ(cosformer_message(nullptr), "cosformer_create: context must not be null");
  EXPECT_EQ(cosformer_create(&context, "sse9", 0), COSFORMER_NO_DEVICE);
  EXPECT_EQ(context, nullptr);
  EXPECT_EQ(cosformer_create(&context, nullptr, -1), COSFORMER_BAD_ARGUMENT);
  EXPECT_STREQ(cosformer_message(nullptr), "cosformer_create: threads must be >= 0, got -1");
  EXPECT_EQ(cosformer_attention_forward(nullptr, nullptr), COSFORMER_BAD_ARGUMENT);
  const Context good;
  EXPECT_EQ(cosformer_attention_forward(good.get(), nullptr), COSFORMER_BAD_ARGUMENT);
  EXPECT_EQ(good.message(), "attention: call must not be null");
  EXPECT_EQ(cosformer_abi_version(), COSFORMER_ABI_VERSION);
}

}  // namespace
}  // namespace cosformer::test
