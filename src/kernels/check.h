#pragma once

#include "kernels/check_memory.h"

/// What every function of the library checks before it writes anything.
namespace cosformer {

/// Whether rows, positions and decay can be looked at: not where they lie in a GPU's memory.
enum class Values { read, out_of_reach };

/// What a call's checks look at: sizes, options and the arguments whose values matter.
struct Checked {
  AttentionShape shape;
  AttentionOptions options;
  const Rows* query_rows = nullptr;  ///< null: the function takes no queries
  const Rows* key_rows = nullptr;
  const int64_t* position = nullptr;
  const float* decay = nullptr;
  Values values = Values::read;
};

/// @throws ShapeError "attention: <what>, expected ..., got ..."
void check(const Checked& call);

inline constexpr Rows kAllRows;

/// A state and its sum, which come together or not at all.
inline void check_states(const char* S_name, const void* S, const char* z_name, const void* z,
                         const AttentionShape& s, const AttentionOptions& options, bool is_result = false) {
  check_together(S_name, S, z_name, z);
  check({optional(memory(S_name, S, {s.B, s.G, options.states(), s.K, s.V}, is_result)),
         optional(memory(z_name, z, {s.B, s.G, options.states(), s.K}, is_result))});
}

template <class T>
void check(const AttentionForward<T>& a, Values values = Values::read) {
  check(Checked{a.shape, a.options, &a.query_rows, &a.key_rows, a.position, a.decay, values});
  const auto& [B, Tq, Tk, H, G, K, V] = a.shape;
  check({memory("query", a.query, a.query_rows, B, Tq, H, K), memory("key", a.key, a.key_rows, B, Tk, G, K),
         memory("value", a.value, a.key_rows, B, Tk, G, V),
         memory("output", a.output, a.query_rows, B, Tq, H, V, true),
         optional(memory("denominator", a.denominator, {a.query_rows.cu_seqlens ? 1 : B, Tq, H}, true))});
  check_states("S", a.S, "z", a.z, a.shape, a.options);
  check_states("S_out", a.S_out, "z_out", a.z_out, a.shape, a.options, true);
  if ((a.S || a.S_out) && !a.options.causal) throw ShapeError("attention: a state needs causal");
}

template <class T>
void check(const AttentionBackward<T>& a, Values values = Values::read) {
  check(Checked{a.shape, a.options, &a.query_rows, &a.key_rows, a.position, a.decay, values});
  const auto& [B, Tq, Tk, H, G, K, V] = a.shape;
  check({memory("query", a.query, a.query_rows, B, Tq, H, K), memory("key", a.key, a.key_rows, B, Tk, G, K),
         memory("value", a.value, a.key_rows, B, Tk, G, V),
         memory("d_output", a.d_output, a.query_rows, B, Tq, H, V),
         memory("d_query", a.d_query, a.query_rows, B, Tq, H, K, true),
         memory("d_key", a.d_key, a.key_rows, B, Tk, G, K, true),
         memory("d_value", a.d_value, a.key_rows, B, Tk, G, V, true)});
  if (a.options.normalize) {
    check({memory("output", a.output, a.query_rows, B, Tq, H, V),
           memory("denominator", a.denominator, {a.query_rows.cu_seqlens ? 1 : B, Tq, H})});
  }
  check_states("S", a.S, "z", a.z, a.shape, a.options);
  check_states("dS_out", a.dS_out, "dz_out", a.dz_out, a.shape, a.options);
  check_states("dS", a.dS, "dz", a.dz, a.shape, a.options, true);
  if ((a.S || a.dS_out || a.dS) && !a.options.causal) throw ShapeError("attention: a state needs causal");
}

template <class T>
void check(const AttentionState<T>& a, Values values = Values::read) {
  check(Checked{a.shape, a.options, nullptr, &a.key_rows, a.position, a.decay, values});
  const auto& s = a.shape;
  const int64_t N = a.options.states();
  check({memory("key", a.key, a.key_rows, s.B, s.Tk, s.G, s.K),
         memory("value", a.value, a.key_rows, s.B, s.Tk, s.G, s.V),
         memory("S", a.S, {s.B, s.G, N, s.K, s.V}, true), memory("z", a.z, {s.B, s.G, N, s.K}, true)});
}

template <class T>
void check(const AttentionStateBackward<T>& a, Values values = Values::read) {
  check(Checked{a.shape, a.options, nullptr, &a.key_rows, a.position, a.decay, values});
  const auto& s = a.shape;
  check({memory("key", a.key, a.key_rows, s.B, s.Tk, s.G, s.K),
         memory("value", a.value, a.key_rows, s.B, s.Tk, s.G, s.V),
         memory("d_key", a.d_key, a.key_rows, s.B, s.Tk, s.G, s.K, true),
         memory("d_value", a.d_value, a.key_rows, s.B, s.Tk, s.G, s.V, true)});
  check_states("dS", a.dS, "dz", a.dz, s, a.options);
}

template <class T>
void check(const AttentionRead<T>& a, Values values = Values::read) {
  check(Checked{a.shape, a.options, &kAllRows, nullptr, a.position, nullptr, values});
  const auto& s = a.shape;
  const int64_t N = a.options.states();
  check({memory("query", a.query, kAllRows, s.B, s.Tq, s.H, s.K), memory("S", a.S, {s.B, s.G, N, s.K, s.V}),
         memory("z", a.z, {s.B, s.G, N, s.K}),
         memory("output", a.output, kAllRows, s.B, s.Tq, s.H, s.V, true),
         optional(memory("denominator", a.denominator, {s.B, s.Tq, s.H}, true))});
}

template <class T>
void check(const AttentionReadBackward<T>& a, Values values = Values::read) {
  check(Checked{a.shape, a.options, &kAllRows, nullptr, a.position, nullptr, values});
  const auto& s = a.shape;
  const int64_t N = a.options.states();
  check({memory("query", a.query, kAllRows, s.B, s.Tq, s.H, s.K), memory("S", a.S, {s.B, s.G, N, s.K, s.V}),
         memory("z", a.z, {s.B, s.G, N, s.K}), memory("d_output", a.d_output, kAllRows, s.B, s.Tq, s.H, s.V),
         memory("d_query", a.d_query, kAllRows, s.B, s.Tq, s.H, s.K, true)});
  if (a.options.normalize) {
    check({memory("output", a.output, kAllRows, s.B, s.Tq, s.H, s.V),
           memory("denominator", a.denominator, {s.B, s.Tq, s.H})});
  }
  check_states("dS", a.dS, "dz", a.dz, s, a.options, true);
}

template <class T>
void check(const AttentionStep<T>& a, Values values = Values::read) {
  const auto& s = a.shape;
  if (s.Tq != 1 || s.Tk != 1) {
    throw ShapeError("attention: a step takes one token, expected Tq = Tk = 1, got Tq = " +
                     std::to_string(s.Tq) + ", Tk = " + std::to_string(s.Tk));
  }
  AttentionOptions options = a.options;
  options.causal = true;
  if (s.B > 0) check({memory("position", a.position, {s.B}, true)});
  check(Checked{s, options, &kAllRows, &kAllRows, a.position, a.decay, values});
  const int64_t N = a.options.states();
  check({memory("query", a.query, kAllRows, s.B, 1, s.H, s.K),
         memory("key", a.key, kAllRows, s.B, 1, s.G, s.K),
         memory("value", a.value, kAllRows, s.B, 1, s.G, s.V),
         memory("output", a.output, kAllRows, s.B, 1, s.H, s.V, true),
         memory("S", a.S, {s.B, s.G, N, s.K, s.V}, true), memory("z", a.z, {s.B, s.G, N, s.K}, true)});
}

}  // namespace cosformer
