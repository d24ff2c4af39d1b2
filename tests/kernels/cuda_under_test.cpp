#include <gtest/gtest.h>

#include "kernels/device_run.h"
#include "kernels/under_test.h"

namespace cosformer::test::under_test {
namespace {

// Names of instruction sets stand for those of GPUs.
constexpr Isa kOldest = Isa::avx512_bf16, kHopper = Isa::amx;

template <class Args, class Function>
void call(const Args& args, const Execution& execution, const Function& function) {
  const int architecture = execution.isa == kOldest ? 80 : execution.isa == kHopper ? 90 : 0;
  call_on_device(args, {.width = execution.width < 4 ? execution.width : 1000, .architecture = architecture},
                 function);
}

#if !defined(COSFORMER_EMULATE_CUDA)
/// Skips every test where there is no GPU.
class Gpu : public testing::Environment {
 public:
  void SetUp() override {
    int count = 0;
    const cudaError_t result = cudaGetDeviceCount(&count);
    if (result != cudaSuccess) GTEST_SKIP() << "no GPU: " << cudaGetErrorString(result);
  }
};
const auto* const gpu = testing::AddGlobalTestEnvironment(new Gpu);
#endif

}  // namespace

std::vector<Isa> isas() {
  if (!is_hopper()) return {kOldest};  // the other's calls are refused
  return {kOldest, kHopper};
}
std::vector<Form> forms(const std::vector<Form>&) {
  return {Form::chunked};
}
std::vector<int64_t> lengths() {
  if (kDeviceIsEmulated) return {0, 1, 33, 130};
  return {0, 1, 31, 32, 33, 63, 64, 65, 130, 300};
}
int64_t long_length() {
  return kDeviceIsEmulated ? 600 : 2100;
}
bool values_are_checked() {
  return false;
}
uint64_t fuzz_cases() {
  return kDeviceIsEmulated ? 60 : 2000;
}

void attention_forward(const AttentionForward<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_forward(a, e); });
}
void attention_forward(const AttentionForward<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_forward(a, e); });
}
void attention_backward(const AttentionBackward<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_backward(a, e); });
}
void attention_backward(const AttentionBackward<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_backward(a, e); });
}
void attention_step(const AttentionStep<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_step(a, e); });
}
void attention_step(const AttentionStep<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_step(a, e); });
}
void attention_state(const AttentionState<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_state(a, e); });
}
void attention_state(const AttentionState<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_state(a, e); });
}
void attention_state_backward(const AttentionStateBackward<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_state_backward(a, e); });
}
void attention_state_backward(const AttentionStateBackward<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_state_backward(a, e); });
}
void attention_read(const AttentionRead<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_read(a, e); });
}
void attention_read(const AttentionRead<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_read(a, e); });
}
void attention_read_backward(const AttentionReadBackward<float>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_read_backward(a, e); });
}
void attention_read_backward(const AttentionReadBackward<bfloat16>& args, const Execution& execution) {
  call(args, execution, [](const auto& a, const auto& e) { cuda::attention_read_backward(a, e); });
}

}  // namespace cosformer::test::under_test
