#include "kernels/cpu/tasks.h"
#include "kernels/under_test.h"
#include "support/sanitized.h"

namespace cosformer::test::under_test {
namespace {

[[maybe_unused]] const bool memory_is_poisoned = cpu::poisons_memory = true;

}  // namespace

std::vector<Isa> isas() {
  return available_isas();
}
std::vector<Form> forms(const std::vector<Form>& forms) {
  return forms;
}
std::vector<int64_t> lengths() {
  return {0, 1, 15, 16, 17, 65, kSanitized ? 49 : 130};
}
int64_t long_length() {
  return 2100;
}
bool values_are_checked() {
  return true;
}
uint64_t fuzz_cases() {
  return kSanitized ? 2000 : 8000;
}

void attention_forward(const AttentionForward<float>& args, const Execution& execution) {
  cosformer::attention_forward(args, execution);
}
void attention_forward(const AttentionForward<bfloat16>& args, const Execution& execution) {
  cosformer::attention_forward(args, execution);
}
void attention_backward(const AttentionBackward<float>& args, const Execution& execution) {
  cosformer::attention_backward(args, execution);
}
void attention_backward(const AttentionBackward<bfloat16>& args, const Execution& execution) {
  cosformer::attention_backward(args, execution);
}
void attention_step(const AttentionStep<float>& args, const Execution& execution) {
  cosformer::attention_step(args, execution);
}
void attention_step(const AttentionStep<bfloat16>& args, const Execution& execution) {
  cosformer::attention_step(args, execution);
}
void attention_state(const AttentionState<float>& args, const Execution& execution) {
  cosformer::attention_state(args, execution);
}
void attention_state(const AttentionState<bfloat16>& args, const Execution& execution) {
  cosformer::attention_state(args, execution);
}
void attention_state_backward(const AttentionStateBackward<float>& args, const Execution& execution) {
  cosformer::attention_state_backward(args, execution);
}
void attention_state_backward(const AttentionStateBackward<bfloat16>& args, const Execution& execution) {
  cosformer::attention_state_backward(args, execution);
}
void attention_read(const AttentionRead<float>& args, const Execution& execution) {
  cosformer::attention_read(args, execution);
}
void attention_read(const AttentionRead<bfloat16>& args, const Execution& execution) {
  cosformer::attention_read(args, execution);
}
void attention_read_backward(const AttentionReadBackward<float>& args, const Execution& execution) {
  cosformer::attention_read_backward(args, execution);
}
void attention_read_backward(const AttentionReadBackward<bfloat16>& args, const Execution& execution) {
  cosformer::attention_read_backward(args, execution);
}

}  // namespace cosformer::test::under_test
