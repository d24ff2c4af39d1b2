// The C interface gives what the C++ one gives, and says what is wrong with every bad argument.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "cosformer/cosformer.h"
#include "cosformer/cuda.h"
#include "kernels/attention_case.h"

namespace cosformer::test {
namespace {

class Context {
 public:
  explicit Context(const char* isa = nullptr, int threads = 0) {
    EXPECT_EQ(cosformer_create(&context_, isa, threads), COSFORMER_OK) << cosformer_message(nullptr);
  }
  ~Context() { cosformer_destroy(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  cosformer_context* get() const { return context_; }
  std::string message() const { return cosformer_message(context_); }

 private:
  cosformer_context* context_ = nullptr;
};

template <class T>
cosformer_tensor tensor(const View<T>& view) {
  return {const_cast<void*>(static_cast<const void*>(view.data)), view.batch_stride, view.time_stride,
          view.head_stride};
}

/// A call over real tensors, all of whose arguments are good.
struct GoodCall {
  Case c;
  Inputs<float> in;
  Tensor<float> output, d_query, d_key, d_value;
  std::vector<float> denominator, S_out, z_out, dS, dz;
  cosformer_call call{};

  static Case make_case() {
    Case c;
    c.shape = {.B = 2, .Tq = 20, .Tk = 20, .H = 4, .G = 2, .K = 8, .V = 12};
    c.options = {.horizon = 64, .causal = true};
    c.states = c.decay = true;
    c.position = 3;
    return c;
  }

  GoodCall()
      : c(make_case()),
        in(c, false),
        output(2, 20, 4, 12),
        d_query(2, 20, 4, 8),
        d_key(2, 20, 2, 8),
        d_value(2, 20, 2, 12),
        denominator(2 * 20 * 4),
        S_out(in.S.size()),
        z_out(in.z.size()),
        dS(in.S.size()),
        dz(in.z.size()) {
    call.size = sizeof call;
    call.B = call.G = 2;
    call.Tq = call.Tk = 20;
    call.H = 4;
    call.K = 8;
    call.V = 12;
    call.horizon = 64;
    call.causal = true;
    call.decay = in.decay.data();
    call.position = in.position.data();
    call.query = tensor(in.query.view());
    call.key = tensor(in.key.view());
    call.value = tensor(in.value.view());
    call.output = tensor(output.view());
    call.denominator = denominator.data();
    call.S = in.S.data();
    call.z = in.z.data();
    call.S_out = S_out.data();
    call.z_out = z_out.data();
    call.d_output = tensor(in.d_output.view());
    call.dS_out = in.dS_out.data();
    call.dz_out = in.dz_out.data();
    call.d_query = tensor(d_query.view());
    call.d_key = tensor(d_key.view());
    call.d_value = tensor(d_value.view());
    call.dS = dS.data();
    call.dz = dz.data();
  }
};

TEST(CInterface, GivesTheBitsOfTheCppInterface) {
  for (const Isa isa : available_isas()) {
    const Context context(name(isa), 2);
    GoodCall good;
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

TEST(CInterface, StepsStatesAndReadsRun) {
  const Context context;
  GoodCall good;
  int64_t position[] = {0, 5};
  cosformer_call step = good.call;
  step.Tq = step.Tk = 1;
  EXPECT_EQ(cosformer_attention_step(context.get(), &step, position), COSFORMER_OK) << context.message();
  EXPECT_EQ(position[0], 1);
  EXPECT_EQ(position[1], 6);
  EXPECT_EQ(cosformer_attention_state(context.get(), &good.call), COSFORMER_OK) << context.message();
  EXPECT_EQ(cosformer_attention_state_backward(context.get(), &good.call), COSFORMER_OK) << context.message();
  EXPECT_EQ(cosformer_attention_read(context.get(), &good.call), COSFORMER_OK) << context.message();
  EXPECT_EQ(cosformer_attention_read_backward(context.get(), &good.call), COSFORMER_OK) << context.message();
}

TEST(CInterface, FunctionsOfEveryRowTakeNoPadding) {
  const Context context;
  GoodCall good;
  const bool padding[40] = {};
  good.call.query_rows = {padding, 20, 1, nullptr};
  EXPECT_EQ(cosformer_attention_read(context.get(), &good.call), COSFORMER_BAD_ARGUMENT);
  EXPECT_EQ(context.message(), "attention: query_rows must be empty: this function takes every row");
}

TEST(CInterface, DoublesGoThroughTheReference) {
  const Context context;
  GoodCall good;
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

TEST(CInterface, BadArgumentsAreNamedAndNothingIsWritten) {
  const Context context;
  const auto error = [&](auto change, auto function) {
    GoodCall good;
    change(good.call);
    const std::vector<double> before = good.output.values();
    EXPECT_EQ(function(context.get(), &good.call), COSFORMER_BAD_ARGUMENT);
    EXPECT_EQ(good.S_out, std::vector<float>(good.S_out.size()));
    for (const double x : good.output.values()) EXPECT_TRUE(std::isnan(x));
    return context.message();
  };
  const auto forward = [&](auto change) { return error(change, cosformer_attention_forward); };
  const auto backward = [&](auto change) { return error(change, cosformer_attention_backward); };
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max() / 4;
  EXPECT_EQ(forward([](auto& c) { c.query.data = nullptr; }), "attention: query must not be null");
  EXPECT_EQ(forward([](auto& c) { c.output.data = nullptr; }), "attention: output must not be null");
  EXPECT_EQ(forward([](auto& c) { c.z = nullptr; }), "attention: expected S and z together, got S alone");
  EXPECT_EQ(forward([](auto& c) { c.S_out = nullptr; }),
            "attention: expected S_out and z_out together, got z_out alone");
  EXPECT_EQ(forward([](auto& c) { c.B = -1; }), "attention: B must be >= 0, got -1");
  EXPECT_EQ(forward([](auto& c) { c.H = 5; }), "attention: H must be a multiple of G = 2, got H = 5");
  EXPECT_EQ(forward([](auto& c) { c.horizon = -2; }),
            "attention: horizon must be >= 1 or 0 for none, got -2");
  EXPECT_EQ(forward([](auto& c) { c.eps = -1; }), "attention: eps must be finite and > 0, got -1.000000");
  EXPECT_EQ(forward([](auto& c) { c.size = 8; }), "attention: size must be sizeof(cosformer_call), got 8");
  EXPECT_EQ(forward([](auto& c) { c.dtype = 9; }), "attention: dtype must be one of cosformer_dtype, got 9");
  EXPECT_EQ(forward([](auto& c) { c.dtype = COSFORMER_FLOAT16; }),
            "attention: dtype COSFORMER_FLOAT16 needs device COSFORMER_CUDA, got COSFORMER_CPU");
  EXPECT_EQ(forward([](auto& c) { c.device = 5; }),
            "attention: device must be one of cosformer_device, got 5");
  EXPECT_EQ(forward([](auto& c) { c.feature_map = 7; }),
            "attention: feature_map must be COSFORMER_RELU or COSFORMER_IDENTITY, got 7");
  EXPECT_EQ(forward([](auto& c) { c.K = kHuge; }),
            "attention: query must have fewer elements than an int64_t counts bytes");
  EXPECT_EQ(forward([](auto& c) { c.query.batch_stride = kHuge; }),
            "attention: query must not reach further than an int64_t counts bytes");
  EXPECT_EQ(forward([](auto& c) { c.output.head_stride = 11; }),
            "attention: output is a result whose elements must be distinct, got a stride of 11 over elements "
            "that reach "
            "11");
  EXPECT_EQ(forward([](auto& c) { c.causal = false; }), "attention: decay needs causal");
  EXPECT_EQ(backward([](auto& c) { c.denominator = nullptr; }), "attention: denominator must not be null");
  EXPECT_EQ(backward([](auto& c) { c.d_key.data = nullptr; }), "attention: d_key must not be null");
  EXPECT_EQ(backward([](auto& c) { c.d_value.time_stride = 0; }),
            "attention: d_value is a result whose elements must be distinct, got a stride of 0 over elements "
            "that reach "
            "0");
}

TEST(CInterface, AStructThatEndsBeforeTheDeviceIsForTheCpu) {
  const Context context;
  GoodCall good;
  good.call.size = offsetof(cosformer_call, device);
  good.call.device = good.call.device_number = 99;
  good.call.stream = &good;
  EXPECT_EQ(cosformer_attention_forward(context.get(), &good.call), COSFORMER_OK) << context.message();
}

TEST(CInterface, ABuildWithoutKernelsForGpusSaysSo) {
  if (cuda::is_built()) GTEST_SKIP() << "this one has them";
  const Context context;
  GoodCall good;
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
