/* Linear attention with cosine re-weighting: the kernel library for C and for whatever calls C.
 *
 *   w_ij = (phi(q_i) . phi(k_j)) cos(pi (i - j) / (2 M)) exp(-decay (i - j)),   phi(x) = max(x, 0)
 *   o_i  = sum_j w_ij v_j / max(sum_j w_ij, eps),                               j <= i where causal
 *
 * The same functions as cosformer/attention.h, where shapes and meanings are explained; names are the same.
 * Every function returns a status and has written nothing unless that is COSFORMER_OK; cosformer_message()
 * then says in one line which argument was wrong, what was expected and what was got. Fill a struct with
 * zeros and its `size` with sizeof first: fields may be added at its end in a later version, and mean 0 where
 * the caller's struct ends before them. */
#ifndef COSFORMER_COSFORMER_H
#define COSFORMER_COSFORMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define COSFORMER_C_API __attribute__((visibility("default")))
#else
#define COSFORMER_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a program that was compiled against an older header would no longer work. */
#define COSFORMER_ABI_VERSION 1
COSFORMER_C_API int cosformer_abi_version(void);

typedef enum cosformer_status {
  COSFORMER_OK = 0,
  COSFORMER_BAD_ARGUMENT = 1, /* a size, stride, pointer, position or option */
  COSFORMER_NO_DEVICE =
      2, /* an instruction set or GPU that is unknown or lacking, or its driver or kernels */
  COSFORMER_OUT_OF_MEMORY = 3,
  COSFORMER_FAILED = 4
} cosformer_status;

typedef enum cosformer_dtype {
  COSFORMER_FLOAT32 = 0,
  COSFORMER_BFLOAT16 = 1,
  COSFORMER_FLOAT64 = 2, /* on the CPU alone */
  COSFORMER_FLOAT16 = 3  /* on a GPU alone */
} cosformer_dtype;
typedef enum cosformer_device { COSFORMER_CPU = 0, COSFORMER_CUDA = 1 } cosformer_device;
typedef enum cosformer_feature_map { COSFORMER_RELU = 0, COSFORMER_IDENTITY = 1 } cosformer_feature_map;

/* How to run, and the message of the last call with it. One thread uses a context at a time. */
typedef struct cosformer_context cosformer_context;

/* isa: "generic", "avx2", "avx512", "avx512_bf16", "amx", or null for the fastest. threads: 0 for all. */
COSFORMER_C_API cosformer_status cosformer_create(cosformer_context** context, const char* isa, int threads);
COSFORMER_C_API void cosformer_destroy(cosformer_context* context);
/* Of the last call with the context, never null; of cosformer_create where the context is null. */
COSFORMER_C_API const char* cosformer_message(const cosformer_context* context);

/* [B, T, heads, width] with a last stride of 1, other strides in elements. Packed: [total, heads, width]. */
typedef struct cosformer_tensor {
  void* data;
  int64_t batch_stride, time_stride, head_stride;
} cosformer_tensor;

/* Which rows are tokens: padding [B, T] (true = padding), or cu_seqlens [B + 1] of packed sequences, or
 * neither. */
typedef struct cosformer_rows {
  const bool* padding;
  int64_t padding_batch_stride, padding_time_stride;
  const int64_t* cu_seqlens;
} cosformer_rows;

typedef struct cosformer_call {
  size_t size;                   /* sizeof(cosformer_call) */
  int32_t dtype;                 /* cosformer_dtype of queries, keys, values, outputs and their gradients */
  int64_t B, Tq, Tk, H, G, K, V; /* packed: B sequences, Tq and Tk rows in all */
  int64_t horizon;               /* M, or 0: no re-weighting */
  bool causal;
  bool numerator_only; /* no division by the denominator */
  int32_t feature_map; /* cosformer_feature_map */
  float eps;           /* 0: 1e-6 */
  cosformer_rows query_rows, key_rows;
  const float* decay;                 /* [G] or null */
  const int64_t* position;            /* [B] or null */
  cosformer_tensor query, key, value; /* const */
  cosformer_tensor output;            /* result of forward and read, input of their backward passes */
  void* denominator;                  /* [B, Tq, H] float (double for float64) or null; the same */
  const void *S, *z;                  /* [B, G, N, K, V], [B, G, N, K], or null */
  void *S_out, *z_out;
  cosformer_tensor d_output; /* const */
  const void *dS_out, *dz_out;
  cosformer_tensor d_query, d_key, d_value;
  void *dS, *dz;
  /* Where the call runs and all memory lies that it names. On a GPU it returns once its work is queued, and
   * values of rows, position and decay are not checked: cosformer/cuda.h. The context's instruction set and
   * threads are for the CPU. */
  int32_t device;        /* cosformer_device */
  int32_t device_number; /* which GPU, from 0 */
  void* stream;          /* a cudaStream_t of that GPU; null: its default one */
} cosformer_call;

/* Whether this build has kernels for GPUs, and this machine a GPU that they run on. */
COSFORMER_C_API bool cosformer_cuda_is_available(void);

/* Attention over whole sequences, from S and z where given, to S_out and z_out where wanted. */
COSFORMER_C_API cosformer_status cosformer_attention_forward(cosformer_context* context,
                                                             const cosformer_call* call);
COSFORMER_C_API cosformer_status cosformer_attention_backward(cosformer_context* context,
                                                              const cosformer_call* call);

/* One token for each sequence: S_out, z_out and position_in_out advance in place; S, z and position are not
 * read. Every row is a token. */
COSFORMER_C_API cosformer_status cosformer_attention_step(cosformer_context* context,
                                                          const cosformer_call* call,
                                                          int64_t* position_in_out);

/* The state of a stretch of keys alone, into S_out and z_out; its gradients dS_out, dz_out into d_key,
 * d_value. */
COSFORMER_C_API cosformer_status cosformer_attention_state(cosformer_context* context,
                                                           const cosformer_call* call);
COSFORMER_C_API cosformer_status cosformer_attention_state_backward(cosformer_context* context,
                                                                    const cosformer_call* call);

/* Queries read S and z; gradients into d_query, dS, dz. Every row is a token. */
COSFORMER_C_API cosformer_status cosformer_attention_read(cosformer_context* context,
                                                          const cosformer_call* call);
COSFORMER_C_API cosformer_status cosformer_attention_read_backward(cosformer_context* context,
                                                                   const cosformer_call* call);

#ifdef __cplusplus
}
#endif

#endif /* COSFORMER_COSFORMER_H */
