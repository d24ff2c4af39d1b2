// The C interface on a GPU gives what the C++ one gives there.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "cosformer/cosformer.h"
#include "cosformer/cuda.h"
#include "kernels/attention_case.h"
#include "kernels/device_copy.h"

namespace cosformer::test {
namespace {

template <class T>
constexpr int32_t kDtype = std::is_same_v<T, float>      ? COSFORMER_FLOAT32
                           : std::is_same_v<T, bfloat16> ? COSFORMER_BFLOAT16
                                                         : COSFORMER_FLOAT16;

template <class T>
cosformer_tensor tensor(const View<T>& view) {
  return {const_cast<void*>(static_cast<const void*>(view.data)), view.batch_stride, view.time_stride,
          view.head_stride};
}
cosformer_rows rows(const Rows& r) {
  return {r.padding, r.padding_batch_stride, r.padding_time_stride, r.cu_seqlens};
}
void* number(const void* data) {
  return const_cast<void*>(data);
}

/// The C struct of a C++ one. What a function advances or fills is S_out and z_out in C.
template <template <class> class Args, class T>
cosformer_call c_call(const Args<T>& a) {
  cosformer_call c{};
  c.size = sizeof c;
  c.dtype = kDtype<T>;
  c.device = COSFORMER_CUDA;
  c.B = a.shape.B, c.Tq = a.shape.Tq, c.Tk = a.shape.Tk, c.H = a.shape.H;
  c.G = a.shape.G, c.K = a.shape.K, c.V = a.shape.V;
  c.horizon = a.options.horizon.value_or(0);
  c.causal = a.options.causal;
  c.numerator_only = !a.options.normalize;
  c.feature_map = a.options.feature_map == FeatureMap::relu ? COSFORMER_RELU : COSFORMER_IDENTITY;
  c.eps = a.options.eps;
  c.position = a.position;
  if constexpr (requires { a.query_rows; }) c.query_rows = rows(a.query_rows);
  if constexpr (requires { a.key_rows; }) c.key_rows = rows(a.key_rows);
  if constexpr (requires { a.decay; }) c.decay = a.decay;
  if constexpr (requires { a.query; }) c.query = tensor(a.query);
  if constexpr (requires { a.key; }) c.key = tensor(a.key), c.value = tensor(a.value);
  if constexpr (requires { a.output; }) c.output = tensor(a.output);
  if constexpr (requires { a.denominator; }) c.denominator = number(a.denominator);
  if constexpr (requires { a.d_output; }) c.d_output = tensor(a.d_output);
  if constexpr (requires { a.d_query; }) c.d_query = tensor(a.d_query);
  if constexpr (requires { a.d_key; }) c.d_key = tensor(a.d_key), c.d_value = tensor(a.d_value);
  if constexpr (requires { a.S; }) {
    if constexpr (std::is_const_v<std::remove_pointer_t<decltype(a.S)>>) {
      c.S = a.S, c.z = a.z;
    } else {
      c.S_out = a.S, c.z_out = a.z;
    }
  }
  if constexpr (requires { a.S_out; }) c.S_out = a.S_out, c.z_out = a.z_out;
  if constexpr (requires { a.dS; }) {
    if constexpr (std::is_const_v<std::remove_pointer_t<decltype(a.dS)>>) {
      c.dS_out = a.dS, c.dz_out = a.dz;
    } else {
      c.dS = a.dS, c.dz = a.dz;
    }
  }
  if constexpr (requires { a.dS_out; }) c.dS_out = a.dS_out, c.dz_out = a.dz_out;
  return c;
}

using Context = std::unique_ptr<cosformer_context, decltype(&cosformer_destroy)>;
Context new_context() {
  cosformer_context* context = nullptr;
  EXPECT_EQ(cosformer_create(&context, nullptr, 0), COSFORMER_OK);
  return {context, cosformer_destroy};
}

/// Calls with copies on the device: function(context, call) of C.
template <class Args, class Function>
void call_c(const Args& args, const Function& function) {
  const Context context = new_context();
  DeviceCopies copies;
  const Args there = copy_to_device(args, copies);
  const cosformer_call call = c_call(there);
  EXPECT_EQ(function(context.get(), &call), COSFORMER_OK) << cosformer_message(context.get());
  copies.bring_back();
}
template <class Args, class Function>
void call_cpp(const Args& args, const Function& function) {
  DeviceCopies copies;
  const Args there = copy_to_device(args, copies);
  function(there);
  copies.bring_back();
}

template <class T>
void expect_equal_bits(bool causal) {
  Case c;
  c.shape = {.B = 2, .Tq = 70, .Tk = 70, .H = 2, .G = 1, .K = 20, .V = 12};
  c.options = {.horizon = 200, .causal = causal};
  c.states = c.decay = causal;
  c.padding = Padding::right;
  c.position = causal ? 5 : 0;
  const Inputs<T> inputs(c, true);
  const Results from_c = run<T>(
      c, inputs, [](const auto& a) { call_c(a, cosformer_attention_forward); },
      [](const auto& a) { call_c(a, cosformer_attention_backward); });
  const Results from_cpp = run<T>(
      c, inputs, [](const auto& a) { call_cpp(a, [](const auto& x) { cuda::attention_forward(x); }); },
      [](const auto& a) { call_cpp(a, [](const auto& x) { cuda::attention_backward(x); }); });
  EXPECT_EQ(find_difference(from_c, from_cpp), "") << c.describe();
  EXPECT_FALSE(std::isnan(from_c.output[0]));
}

TEST(CudaCInterface, GivesTheBitsOfTheCppInterface) {
  for (const bool causal : {true, false}) {
    expect_equal_bits<float>(causal);
    expect_equal_bits<bfloat16>(causal);
    expect_equal_bits<float16>(causal);
  }
}

/// A state, one token more, and queries that read it, with their gradients: what each function gives.
template <class Call>
std::vector<float> states_and_reads(const Call& call) {
  constexpr int64_t kT = 33, kK = 8, kV = 12;
  std::vector<float> key(kT * kK), value(kT * kV), S(kK * kV, NAN), z(kK, NAN), one(kV, NAN),
      out(kT * kV, NAN);
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<float>(i % 7) / 4;
  for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<float>(i % 5) - 2;
  const View<const float> keys{key.data(), kT * kK, kK, kK}, values{value.data(), kT * kV, kV, kV};
  const AttentionOptions options{.causal = true};
  const AttentionShape shape{1, kT, kT, 1, 1, kK, kV};
  call.state(AttentionState<float>{
      .shape = shape, .options = options, .key = keys, .value = values, .S = S.data(), .z = z.data()});
  AttentionStep<float> step{.shape = {1, 1, 1, 1, 1, kK, kV}, .options = options};
  int64_t position = kT;
  step.query = step.key = keys;
  step.value = values;
  step.output = {one.data(), kV, kV, kV};
  step.S = S.data();
  step.z = z.data();
  step.position = &position;
  call.step(step);
  std::vector<float> denominator(kT, NAN), d_query(kT * kK, NAN), dS(kK * kV, NAN), dz(kK, NAN);
  AttentionRead<float> read{.shape = shape, .options = options, .query = keys, .S = S.data(), .z = z.data()};
  read.output = {out.data(), kT * kV, kV, kV};
  read.denominator = denominator.data();
  call.read(read);
  AttentionReadBackward<float> back{
      .shape = shape, .options = options, .query = keys, .S = S.data(), .z = z.data()};
  back.output = {out.data(), kT * kV, kV, kV};
  back.denominator = denominator.data();
  back.d_output = values;
  back.d_query = {d_query.data(), kT * kK, kK, kK};
  back.dS = dS.data();
  back.dz = dz.data();
  call.read_backward(back);
  std::vector<float> d_key(kT * kK, NAN), d_value(kT * kV, NAN);
  AttentionStateBackward<float> of_state{.shape = shape, .options = options, .key = keys, .value = values};
  of_state.dS = dS.data();
  of_state.dz = dz.data();
  of_state.d_key = {d_key.data(), kT * kK, kK, kK};
  of_state.d_value = {d_value.data(), kT * kV, kV, kV};
  call.state_backward(of_state);
  EXPECT_EQ(position, kT + 1);
  std::vector<float> all;
  for (const auto* part : {&S, &z, &one, &out, &d_query, &dS, &dz, &d_key, &d_value})
    all.insert(all.end(), part->begin(), part->end());
  return all;
}

struct InC {
  void state(const auto& a) const { call_c(a, cosformer_attention_state); }
  void step(const auto& a) const {
    const Context context = new_context();
    DeviceCopies copies;
    const auto there = copy_to_device(a, copies);
    cosformer_call call = c_call(there);
    call.position = nullptr;
    EXPECT_EQ(cosformer_attention_step(context.get(), &call, there.position), COSFORMER_OK)
        << cosformer_message(context.get());
    copies.bring_back();
  }
  void read(const auto& a) const { call_c(a, cosformer_attention_read); }
  void read_backward(const auto& a) const { call_c(a, cosformer_attention_read_backward); }
  void state_backward(const auto& a) const { call_c(a, cosformer_attention_state_backward); }
};
struct InCpp {
  void state(const auto& a) const {
    call_cpp(a, [](const auto& x) { cuda::attention_state(x); });
  }
  void step(const auto& a) const {
    call_cpp(a, [](const auto& x) { cuda::attention_step(x); });
  }
  void read(const auto& a) const {
    call_cpp(a, [](const auto& x) { cuda::attention_read(x); });
  }
  void read_backward(const auto& a) const {
    call_cpp(a, [](const auto& x) { cuda::attention_read_backward(x); });
  }
  void state_backward(const auto& a) const {
    call_cpp(a, [](const auto& x) { cuda::attention_state_backward(x); });
  }
};

TEST(CudaCInterface, StepsStatesAndReadsAreTheSameToo) {
  const std::vector<float> from_c = states_and_reads(InC{}), from_cpp = states_and_reads(InCpp{});
  EXPECT_EQ(from_c, from_cpp);
  for (const float x : from_c) ASSERT_TRUE(std::isfinite(x));
}

TEST(CudaCInterface, SaysWhatIsWrong) {
  const Context context = new_context();
  float in = 1, out = NAN;
  AttentionForward<float> args{.shape = {1, 1, 1, 1, 1, 1, 1}};
  args.query = args.key = args.value = {&in, 1, 1, 1};
  args.output = {&out, 1, 1, 1};
  const auto line = [&](cosformer_status expected, const auto& change) {
    cosformer_call call = c_call(args);
    change(call);
    EXPECT_EQ(cosformer_attention_forward(context.get(), &call), expected);
    return std::string(cosformer_message(context.get()));
  };
  EXPECT_TRUE(cosformer_cuda_is_available());
  EXPECT_EQ(line(COSFORMER_BAD_ARGUMENT, [](auto& c) { c.dtype = COSFORMER_FLOAT64; }),
            "attention: dtype COSFORMER_FLOAT64 needs device COSFORMER_CPU, got COSFORMER_CUDA");
  EXPECT_EQ(line(COSFORMER_BAD_ARGUMENT, [](auto& c) { c.dtype = 9; }),
            "attention: dtype must be one of cosformer_dtype, got 9");
  EXPECT_EQ(line(COSFORMER_BAD_ARGUMENT, [](auto& c) { c.device_number = -1; }),
            "attention: device_number must be >= 0, got -1");
  EXPECT_EQ(line(COSFORMER_BAD_ARGUMENT, [](auto& c) { c.K = 300; }),
            "attention: K must be at most 256 on a GPU, got 300");
  const std::string far = line(COSFORMER_NO_DEVICE, [](auto& c) { c.device_number = 99; });
  EXPECT_EQ(far.rfind("attention: expected a GPU below ", 0), 0) << far;
}

}  // namespace
}  // namespace cosformer::test
