// The C interface: arguments into the C++ ones, exceptions into a status and a message.

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>

#include "cosformer/attention.h"
#include "cosformer/cosformer.h"
#include "cosformer/cuda.h"
#include "kernels/check_memory.h"

struct cosformer_context {
  cosformer::Execution execution;
  std::string message;
};

namespace cosformer {
namespace {

thread_local std::string creation_message;

/// As much of the message as there is memory for.
cosformer_status say(std::string& message, const char* what, cosformer_status status) noexcept {
  try {
    message = what;
  } catch (const std::bad_alloc&) {
    message = "out of memory";  // short enough for the string itself
  }
  return status;
}

template <class Call>
cosformer_status guarded(std::string& message, const Call& call) noexcept {
  try {
    message.clear();
    call();
    return COSFORMER_OK;
  } catch (const ShapeError& error) {
    return say(message, error.what(), COSFORMER_BAD_ARGUMENT);
  } catch (const OutOfMemory& error) {
    return say(message, error.what(), COSFORMER_OUT_OF_MEMORY);
  } catch (const DeviceError& error) {
    return say(message, error.what(), COSFORMER_NO_DEVICE);
  } catch (const std::bad_alloc&) {
    return say(message, "out of memory", COSFORMER_OUT_OF_MEMORY);
  } catch (const std::exception& error) {
    return say(message, error.what(), COSFORMER_FAILED);
  }
}

/// The caller's struct, with zeros where it ends before ours.
cosformer_call complete(const cosformer_call& given) {
  // Through what version 1 began with; `size` itself is always there.
  if (given.size < offsetof(cosformer_call, dz) + sizeof(void*)) {
    throw ShapeError("attention: size must be sizeof(cosformer_call), got " + std::to_string(given.size));
  }
  cosformer_call call{};
  std::memcpy(&call, &given, std::min(given.size, sizeof call));
  return call;
}

template <class T>
View<T> view(const cosformer_tensor& t) {
  return {static_cast<T*>(t.data), t.batch_stride, t.time_stride, t.head_stride};
}

Rows rows(const cosformer_rows& r) {
  return {r.padding, r.padding_batch_stride, r.padding_time_stride, r.cu_seqlens};
}

AttentionOptions options(const cosformer_call& c) {
  if (c.feature_map != COSFORMER_RELU && c.feature_map != COSFORMER_IDENTITY) {
    throw ShapeError("attention: feature_map must be COSFORMER_RELU or COSFORMER_IDENTITY, got " +
                     std::to_string(c.feature_map));
  }
  if (c.horizon < 0)
    throw ShapeError("attention: horizon must be >= 1 or 0 for none, got " + std::to_string(c.horizon));
  AttentionOptions options;
  if (c.horizon != 0) options.horizon = c.horizon;
  options.causal = c.causal;
  options.feature_map = c.feature_map == COSFORMER_RELU ? FeatureMap::relu : FeatureMap::identity;
  options.normalize = !c.numerator_only;
  if (c.eps != 0) options.eps = c.eps;
  return options;
}

AttentionShape shape(const cosformer_call& c) {
  return {c.B, c.Tq, c.Tk, c.H, c.G, c.K, c.V};
}

void refuse_rows(const char* name, const cosformer_rows& r) {
  if (!r.padding && !r.cu_seqlens) return;
  throw ShapeError(std::string("attention: ") + name + " must be empty: this function takes every row");
}

/// Where the name in C++ is another one than here.
void need(const cosformer_call& c, const char* name, const void* state, int64_t width) {
  if (!state && c.B > 0 && c.G > 0 && c.K > 0 && width > 0)
    throw ShapeError(std::string("attention: ") + name + " must not be null");
}

/// What most structs have in common.
template <class T, class Args>
void set_common(Args& args, const cosformer_call& c) {
  args.shape = shape(c);
  args.options = options(c);
  if constexpr (requires { args.query_rows; }) {
    args.query_rows = rows(c.query_rows);
  } else if constexpr (requires { args.query; }) {
    refuse_rows("query_rows", c.query_rows);
  }
  if constexpr (requires { args.key_rows; }) {
    args.key_rows = rows(c.key_rows);
  } else if constexpr (requires { args.key; }) {
    refuse_rows("key_rows", c.key_rows);
  }
  if constexpr (requires { args.decay; }) args.decay = c.decay;
  if constexpr (requires { args.query; }) args.query = view<const T>(c.query);
  if constexpr (requires { args.key; }) args.key = view<const T>(c.key);
  if constexpr (requires { args.value; }) args.value = view<const T>(c.value);
  if constexpr (requires { args.d_output; }) args.d_output = view<const T>(c.d_output);
  if constexpr (requires { args.d_query; }) args.d_query = view<T>(c.d_query);
  if constexpr (requires { args.d_key; }) args.d_key = view<T>(c.d_key);
  if constexpr (requires { args.d_value; }) args.d_value = view<T>(c.d_value);
}

template <class T>
using In = const State<T>*;
template <class T>
using Out = State<T>*;

/// Calls body(T{}, execution) with the call's type and device.
template <class Body>
void with_type(const cosformer_call& call, const Execution& execution, const Body& body) {
  switch (call.dtype) {
    case COSFORMER_FLOAT32:
      return body(float{}, execution);
    case COSFORMER_BFLOAT16:
      return body(bfloat16{}, execution);
    case COSFORMER_FLOAT64:
      return body(double{}, execution);
    case COSFORMER_FLOAT16:
      throw ShapeError("attention: dtype COSFORMER_FLOAT16 needs device COSFORMER_CUDA, got COSFORMER_CPU");
  }
  throw ShapeError("attention: dtype must be one of cosformer_dtype, got " + std::to_string(call.dtype));
}
template <class Body>
void with_type_on_gpu(const cosformer_call& call, const Body& body) {
  if (call.device_number < 0) {
    throw ShapeError("attention: device_number must be >= 0, got " + std::to_string(call.device_number));
  }
  const cuda::Execution execution{.stream = call.stream, .device = call.device_number};
  switch (call.dtype) {
    case COSFORMER_FLOAT32:
      return body(float{}, execution);
    case COSFORMER_BFLOAT16:
      return body(bfloat16{}, execution);
    case COSFORMER_FLOAT16:
      return body(float16{}, execution);
    case COSFORMER_FLOAT64:
      throw ShapeError("attention: dtype COSFORMER_FLOAT64 needs device COSFORMER_CPU, got COSFORMER_CUDA");
  }
  throw ShapeError("attention: dtype must be one of cosformer_dtype, got " + std::to_string(call.dtype));
}

template <class T>
constexpr bool kIsReference = std::is_same_v<T, double>;

template <class T>
void forward(const cosformer_call& c, const auto& execution) {
  AttentionForward<T> args;
  set_common<T>(args, c);
  args.position = c.position;
  args.output = view<T>(c.output);
  args.denominator = static_cast<Out<T>>(c.denominator);
  args.S = static_cast<In<T>>(c.S);
  args.z = static_cast<In<T>>(c.z);
  args.S_out = static_cast<Out<T>>(c.S_out);
  args.z_out = static_cast<Out<T>>(c.z_out);
  if constexpr (kIsReference<T>) {
    reference::attention_forward(args);
  } else {
    attention_forward(args, execution);
  }
}

template <class T>
void backward(const cosformer_call& c, const auto& execution) {
  AttentionBackward<T> args;
  set_common<T>(args, c);
  args.position = c.position;
  args.output = view<const T>(c.output);
  args.denominator = static_cast<In<T>>(c.denominator);
  args.S = static_cast<In<T>>(c.S);
  args.z = static_cast<In<T>>(c.z);
  args.dS_out = static_cast<In<T>>(c.dS_out);
  args.dz_out = static_cast<In<T>>(c.dz_out);
  args.dS = static_cast<Out<T>>(c.dS);
  args.dz = static_cast<Out<T>>(c.dz);
  if constexpr (kIsReference<T>) {
    reference::attention_backward(args);
  } else {
    attention_backward(args, execution);
  }
}

template <class T>
void step(const cosformer_call& c, int64_t* position, const auto& execution) {
  AttentionStep<T> args;
  set_common<T>(args, c);
  args.position = position;
  args.output = view<T>(c.output);
  args.S = static_cast<Out<T>>(c.S_out);
  args.z = static_cast<Out<T>>(c.z_out);
  need(c, "S_out", c.S_out, c.V);
  need(c, "z_out", c.z_out, 1);
  if constexpr (kIsReference<T>) {
    reference::attention_step(args);
  } else {
    attention_step(args, execution);
  }
}

template <class T>
void state(const cosformer_call& c, const auto& execution) {
  AttentionState<T> args;
  set_common<T>(args, c);
  args.position = c.position;
  args.S = static_cast<Out<T>>(c.S_out);
  args.z = static_cast<Out<T>>(c.z_out);
  need(c, "S_out", c.S_out, c.V);
  need(c, "z_out", c.z_out, 1);
  if constexpr (kIsReference<T>) {
    reference::attention_state(args);
  } else {
    attention_state(args, execution);
  }
}

template <class T>
void state_backward(const cosformer_call& c, const auto& execution) {
  AttentionStateBackward<T> args;
  set_common<T>(args, c);
  args.position = c.position;
  args.dS = static_cast<In<T>>(c.dS_out);
  args.dz = static_cast<In<T>>(c.dz_out);
  check_together("dS_out", c.dS_out, "dz_out", c.dz_out);
  if constexpr (kIsReference<T>) {
    reference::attention_state_backward(args);
  } else {
    attention_state_backward(args, execution);
  }
}

template <class T>
void read(const cosformer_call& c, const auto& execution) {
  AttentionRead<T> args;
  set_common<T>(args, c);
  args.position = c.position;
  args.S = static_cast<In<T>>(c.S);
  args.z = static_cast<In<T>>(c.z);
  args.output = view<T>(c.output);
  args.denominator = static_cast<Out<T>>(c.denominator);
  if constexpr (kIsReference<T>) {
    reference::attention_read(args);
  } else {
    attention_read(args, execution);
  }
}

template <class T>
void read_backward(const cosformer_call& c, const auto& execution) {
  AttentionReadBackward<T> args;
  set_common<T>(args, c);
  args.position = c.position;
  args.S = static_cast<In<T>>(c.S);
  args.z = static_cast<In<T>>(c.z);
  args.output = view<const T>(c.output);
  args.denominator = static_cast<In<T>>(c.denominator);
  args.dS = static_cast<Out<T>>(c.dS);
  args.dz = static_cast<Out<T>>(c.dz);
  if constexpr (kIsReference<T>) {
    reference::attention_read_backward(args);
  } else {
    attention_read_backward(args, execution);
  }
}

/// Runs body(T{}, call, execution) behind the checks that all functions share.
template <class Body>
cosformer_status run(cosformer_context* context, const cosformer_call* given, const Body& body) noexcept {
  if (!context) return COSFORMER_BAD_ARGUMENT;
  return guarded(context->message, [&] {
    if (!given) throw ShapeError("attention: call must not be null");
    const cosformer_call call = complete(*given);
    const auto of_type = [&](auto type, const auto& execution) { body(type, call, execution); };
    if (call.device == COSFORMER_CPU) return with_type(call, context->execution, of_type);
    if (call.device == COSFORMER_CUDA) return with_type_on_gpu(call, of_type);
    throw ShapeError("attention: device must be one of cosformer_device, got " + std::to_string(call.device));
  });
}

}  // namespace
}  // namespace cosformer

extern "C" {

int cosformer_abi_version(void) {
  return COSFORMER_ABI_VERSION;
}

cosformer_status cosformer_create(cosformer_context** context, const char* isa, int threads) {
  using namespace cosformer;
  return guarded(creation_message, [&] {
    if (!context) throw ShapeError("cosformer_create: context must not be null");
    *context = nullptr;
    if (threads < 0)
      throw ShapeError("cosformer_create: threads must be >= 0, got " + std::to_string(threads));
    Execution execution;
    if (isa) {
      execution.isa = parse_isa(isa);
      if (!available(*execution.isa))
        throw DeviceError(std::string("cosformer_create: this machine lacks ") + isa);
    }
    if (threads == 1) execution.parallel = serial_for;
    if (threads > 1) {
      execution.parallel = [threads](int64_t n, const std::function<void(int64_t)>& task) {
        parallel_for_on(threads, n, task);
      };
    }
    if (threads > 0) execution.width = threads;
    *context = new cosformer_context{std::move(execution), ""};
  });
}

bool cosformer_cuda_is_available(void) {
  return cosformer::cuda::is_available();
}

void cosformer_destroy(cosformer_context* context) {
  delete context;
}

const char* cosformer_message(const cosformer_context* context) {
  return context ? context->message.c_str() : cosformer::creation_message.c_str();
}

cosformer_status cosformer_attention_forward(cosformer_context* context, const cosformer_call* call) {
  return cosformer::run(context, call,
                        []<class T>(T, const auto& c, const auto& e) { cosformer::forward<T>(c, e); });
}
cosformer_status cosformer_attention_backward(cosformer_context* context, const cosformer_call* call) {
  return cosformer::run(context, call,
                        []<class T>(T, const auto& c, const auto& e) { cosformer::backward<T>(c, e); });
}
cosformer_status cosformer_attention_step(cosformer_context* context, const cosformer_call* call,
                                          int64_t* position) {
  return cosformer::run(
      context, call, [&]<class T>(T, const auto& c, const auto& e) { cosformer::step<T>(c, position, e); });
}
cosformer_status cosformer_attention_state(cosformer_context* context, const cosformer_call* call) {
  return cosformer::run(context, call,
                        []<class T>(T, const auto& c, const auto& e) { cosformer::state<T>(c, e); });
}
cosformer_status cosformer_attention_state_backward(cosformer_context* context, const cosformer_call* call) {
  return cosformer::run(context, call,
                        []<class T>(T, const auto& c, const auto& e) { cosformer::state_backward<T>(c, e); });
}
cosformer_status cosformer_attention_read(cosformer_context* context, const cosformer_call* call) {
  return cosformer::run(context, call,
                        []<class T>(T, const auto& c, const auto& e) { cosformer::read<T>(c, e); });
}
cosformer_status cosformer_attention_read_backward(cosformer_context* context, const cosformer_call* call) {
  return cosformer::run(context, call,
                        []<class T>(T, const auto& c, const auto& e) { cosformer::read_backward<T>(c, e); });
}

}  // extern "C"
