#pragma once

#include <vector>

#include "cosformer/attention.h"

/// The functions under test: those of a CPU, or, in a program of its own, those of a GPU.
namespace cosformer::test::under_test {

/// What runs differently: instruction sets, and which of `forms`. A GPU has one way, which rounds products of
/// bfloat16 as avx512_bf16 does; it takes what work is split by from the width.
std::vector<Isa> isas();
std::vector<Form> forms(const std::vector<Form>& forms);
/// Lengths about chunks' and vectors' ends, and one of several segments.
std::vector<int64_t> lengths();
int64_t long_length();
/// Whether positions are refused: on a GPU they give NaN.
bool values_are_checked();
/// How many random cases are an everyday test.
uint64_t fuzz_cases();

void attention_forward(const AttentionForward<float>& args, const Execution& execution = {});
void attention_forward(const AttentionForward<bfloat16>& args, const Execution& execution = {});
void attention_backward(const AttentionBackward<float>& args, const Execution& execution = {});
void attention_backward(const AttentionBackward<bfloat16>& args, const Execution& execution = {});
void attention_step(const AttentionStep<float>& args, const Execution& execution = {});
void attention_step(const AttentionStep<bfloat16>& args, const Execution& execution = {});
void attention_state(const AttentionState<float>& args, const Execution& execution = {});
void attention_state(const AttentionState<bfloat16>& args, const Execution& execution = {});
void attention_state_backward(const AttentionStateBackward<float>& args, const Execution& execution = {});
void attention_state_backward(const AttentionStateBackward<bfloat16>& args, const Execution& execution = {});
void attention_read(const AttentionRead<float>& args, const Execution& execution = {});
void attention_read(const AttentionRead<bfloat16>& args, const Execution& execution = {});
void attention_read_backward(const AttentionReadBackward<float>& args, const Execution& execution = {});
void attention_read_backward(const AttentionReadBackward<bfloat16>& args, const Execution& execution = {});

}  // namespace cosformer::test::under_test
