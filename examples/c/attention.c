/* Causal attention over 1,000 tokens and 8 heads, in C. Build: cc attention.c -lcosformer_kernels -lstdc++ -lgomp -lm */
#include <cosformer/cosformer.h>
#include <stdio.h>
#include <stdlib.h>

enum { T = 1000, H = 8, K = 64 };

int main(void) {
  float* memory = calloc(4 * (size_t)T * H * K, sizeof(float));
  for (size_t i = 0; memory && i < 3 * (size_t)T * H * K; ++i) memory[i] = (float)(i * 7919 % 1000) / 500 - 1;
  cosformer_tensor tensors[4]; /* [1, T, H, K] */
  for (int i = 0; i < 4; ++i) {
    tensors[i] = (cosformer_tensor){memory + (size_t)i * T * H * K, (int64_t)T * H * K, H * K, K};
  }
  cosformer_call call = {.size = sizeof call, .B = 1, .Tq = T, .Tk = T, .H = H, .G = H, .K = K, .V = K, .horizon = T,
                         .causal = true, .query = tensors[0], .key = tensors[1], .value = tensors[2],
                         .output = tensors[3]};
  cosformer_context* context;
  cosformer_status status = cosformer_create(&context, NULL, 0);
  if (status == COSFORMER_OK) status = cosformer_attention_forward(context, &call);
  if (status != COSFORMER_OK) {
    fprintf(stderr, "%s\n", cosformer_message(context));
  } else {
    printf("first value %.4f, first output %.4f, last output %.4f\n", memory[2 * T * H * K], memory[3 * T * H * K],
           memory[4 * T * H * K - 1]);
  }
  cosformer_destroy(context);
  free(memory);
  return (int)status;
}
