// The C interface with arbitrary arguments: a call is refused and changes nothing, or it stays inside its
// memory. An entry point as libFuzzer calls it.

#include <cstdio>
#include <cstdlib>

#include "fuzz/random_call.h"

namespace cosformer::test {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

cosformer_status run(cosformer_context* context, RandomCall& random, int64_t function) {
  const cosformer_call* call = &random.call();
  switch (function) {
    case 0:
      return cosformer_attention_forward(context, call);
    case 1:
      return cosformer_attention_backward(context, call);
    case 2:
      return cosformer_attention_step(context, call, random.position_in_out());
    case 3:
      return cosformer_attention_state(context, call);
    case 4:
      return cosformer_attention_state_backward(context, call);
    case 5:
      return cosformer_attention_read(context, call);
    default:
      return cosformer_attention_read_backward(context, call);
  }
}

cosformer_context* new_context(int threads) {
  cosformer_context* context = nullptr;
  require(cosformer_create(&context, nullptr, threads) == COSFORMER_OK, "no context");
  return context;
}

}  // namespace
}  // namespace cosformer::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cosformer::test;
  static cosformer_context* const contexts[] = {new_context(1), new_context(2)};
  RandomBytes bytes(data, size);
  cosformer_context* context = contexts[bytes.below(2)];
  const int64_t function = bytes.below(7);
  RandomCall random(bytes);
  if (!random.has_memory()) return 0;
  const cosformer_status status = run(context, random, function);
  require(status == COSFORMER_OK || status == COSFORMER_BAD_ARGUMENT, "an unexpected status");
  require(status == COSFORMER_BAD_ARGUMENT || !random.must_be_refused(), "sizes that must be refused");
  if (status == COSFORMER_OK) {
    require(*cosformer_message(context) == '\0', "a message without an error");
  } else {
    require(*cosformer_message(context) != '\0', "an error without a message");
    require(random.untouched(), "changed something and then refused");
  }
  return 0;
}
