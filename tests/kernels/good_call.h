#pragma once

#include <bit>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cosformer/cosformer.h"
#include "kernels/attention_case.h"

namespace cosformer::test {

template <class T>
cosformer_tensor tensor(const View<T>& view) {
  return {const_cast<void*>(static_cast<const void*>(view.data)), view.batch_stride, view.time_stride,
          view.head_stride};
}

/// Arguments over real tensors, good ones for every function, in C and in C++. T: float, bfloat16, double.
template <class T>
struct GoodCall {
  static constexpr State<T> kPoison = 7;  // of what is a result in one function and an argument in another

  Case c;
  Inputs<T> in;
  Tensor<T> output, d_query, d_key, d_value;
  std::vector<State<T>> denominator, S_out, z_out, dS, dz;
  cosformer_call call{};

  static Case make_case() {
    Case c;
    c.shape = {.B = 2, .Tq = 20, .Tk = 20, .H = 4, .G = 2, .K = 8, .V = 12};
    c.options = {.horizon = 64, .causal = true};
    c.states = c.decay = true;
    c.position = 3;
    return c;
  }

  explicit GoodCall(const Case& given = make_case())
      : c(given),
        in(c, false),
        output(c.shape.B, c.shape.Tq, c.shape.H, c.shape.V),
        d_query(c.shape.B, c.shape.Tq, c.shape.H, c.shape.K),
        d_key(c.shape.B, c.shape.Tk, c.shape.G, c.shape.K),
        d_value(c.shape.B, c.shape.Tk, c.shape.G, c.shape.V),
        denominator(static_cast<size_t>(c.shape.B * c.shape.Tq * c.shape.H), kPoison),
        S_out(in.S.size(), kPoison),
        z_out(in.z.size(), kPoison),
        dS(in.S.size(), kPoison),
        dz(in.z.size(), kPoison) {
    const AttentionShape& s = c.shape;
    call.size = sizeof call;
    call.dtype = std::is_same_v<T, float>    ? COSFORMER_FLOAT32
                 : std::is_same_v<T, double> ? COSFORMER_FLOAT64
                                             : COSFORMER_BFLOAT16;
    call.B = s.B;
    call.Tq = s.Tq;
    call.Tk = s.Tk;
    call.H = s.H;
    call.G = s.G;
    call.K = s.K;
    call.V = s.V;
    call.horizon = c.options.horizon.value_or(0);
    call.causal = c.options.causal;
    call.query_rows = c_rows(in.query_rows.rows());
    call.key_rows = c_rows(in.key_rows.rows());
    if (c.decay) call.decay = in.decay.data();
    call.position = in.position.data();
    call.query = tensor(in.query.view());
    call.key = tensor(in.key.view());
    call.value = tensor(in.value.view());
    call.output = tensor(output.view());
    call.denominator = denominator.data();
    call.d_output = tensor(in.d_output.view());
    call.d_query = tensor(d_query.view());
    call.d_key = tensor(d_key.view());
    call.d_value = tensor(d_value.view());
    if (!c.states) return;
    call.S = in.S.data();
    call.z = in.z.data();
    call.S_out = S_out.data();
    call.z_out = z_out.data();
    call.dS_out = in.dS_out.data();
    call.dz_out = in.dz_out.data();
    call.dS = dS.data();
    call.dz = dz.data();
  }

  /// The same in C++.
  template <class Args>
  Args args() {
    Args a;
    a.shape = c.shape;
    a.options = c.options;
    if constexpr (requires { a.query_rows; }) a.query_rows = in.query_rows.rows();
    if constexpr (requires { a.key_rows; }) a.key_rows = in.key_rows.rows();
    if constexpr (requires { a.decay; }) a.decay = call.decay;
    a.position = in.position.data();
    if constexpr (requires { a.query; }) a.query = std::as_const(in.query).view();
    if constexpr (requires { a.key; }) a.key = std::as_const(in.key).view();
    if constexpr (requires { a.value; }) a.value = std::as_const(in.value).view();
    if constexpr (requires { a.output; }) a.output = view_of(a.output, output);
    if constexpr (requires { a.denominator; }) a.denominator = denominator.data();
    if constexpr (requires { a.d_output; }) a.d_output = std::as_const(in.d_output).view();
    if constexpr (requires { a.d_query; }) a.d_query = d_query.view();
    if constexpr (requires { a.d_key; }) a.d_key = d_key.view();
    if constexpr (requires { a.d_value; }) a.d_value = d_value.view();
    if (!c.states) return a;
    if constexpr (
        requires { a.S = S_out.data(); } && requires { *a.S = 0; }) {  // advanced in place, or a result
      a.S = S_out.data();
      a.z = z_out.data();
    } else if constexpr (requires { a.S; }) {
      a.S = in.S.data();
      a.z = in.z.data();
    }
    if constexpr (requires { a.S_out; }) {
      a.S_out = S_out.data();
      a.z_out = z_out.data();
    }
    if constexpr (requires { a.dS_out; }) {
      a.dS_out = in.dS_out.data();
      a.dz_out = in.dz_out.data();
    }
    if constexpr (requires { a.dS; }) {
      a.dS = dS.data();
      a.dz = dz.data();
    }
    return a;
  }

  /// The bits of all that a call may read or write.
  std::vector<uint64_t> bits() const {
    std::vector<uint64_t> bits;
    const auto add = [&](const auto& numbers) {
      for (const auto x : numbers) bits.push_back(std::bit_cast<uint64_t>(static_cast<double>(x)));
    };
    for (const Tensor<T>* t :
         {&in.query, &in.key, &in.value, &in.d_output, &output, &d_query, &d_key, &d_value}) {
      add(t->values());
    }
    for (const auto* v : {&in.S, &in.z, &in.dS_out, &in.dz_out, &denominator, &S_out, &z_out, &dS, &dz}) {
      add(*v);
    }
    add(in.position);
    add(in.decay);
    add(in.query_rows.padding);
    add(in.query_rows.cu_seqlens);
    add(in.key_rows.padding);
    add(in.key_rows.cu_seqlens);
    return bits;
  }

 private:
  static cosformer_rows c_rows(const Rows& r) {
    return {r.padding, r.padding_batch_stride, r.padding_time_stride, r.cu_seqlens};
  }
  static View<T> view_of(const View<T>&, Tensor<T>& tensor) { return tensor.view(); }
  static View<const T> view_of(const View<const T>&, const Tensor<T>& tensor) { return tensor.view(); }
};

/// The functions of the C interface by their names in the C++ one. The step is of the first row.
struct CFunction {
  std::string_view name;
  cosformer_status (*run)(cosformer_context*, const cosformer_call*, int64_t* position);
};
template <auto function>
cosformer_status without_position(cosformer_context* context, const cosformer_call* call, int64_t*) {
  return function(context, call);
}
inline constexpr CFunction kCFunctions[] = {
    {"forward", without_position<cosformer_attention_forward>},
    {"backward", without_position<cosformer_attention_backward>},
    {"step", cosformer_attention_step},
    {"state", without_position<cosformer_attention_state>},
    {"state_backward", without_position<cosformer_attention_state_backward>},
    {"read", without_position<cosformer_attention_read>},
    {"read_backward", without_position<cosformer_attention_read_backward>},
};

class Context {
 public:
  explicit Context(const char* isa = nullptr, int threads = 0) {
    status_ = cosformer_create(&context_, isa, threads);
  }
  ~Context() { cosformer_destroy(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  cosformer_context* get() const { return context_; }
  cosformer_status status() const { return status_; }
  std::string message() const { return cosformer_message(context_); }

 private:
  cosformer_context* context_ = nullptr;
  cosformer_status status_;
};

}  // namespace cosformer::test
