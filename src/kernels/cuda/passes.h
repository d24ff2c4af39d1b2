#pragma once

#include <limits>

#include "kernels/cuda/plan.h"
#include "kernels/cuda/prepare.h"
#include "kernels/cuda/step.h"

// Each function as passes of the kernels: which tensors are readers and sources, and where states come from
// and go to. What they take from `run` depends on sizes alone.

namespace cosformer::cuda {

template <class T>
void start_passes(const AttentionForward<T>& a, Run& run) {
  const auto& s = a.shape;
  const Tokens queries = tokens_of(a.query_rows, s.B, s.Tq, run);
  const auto query = operand(a.query, s.K), key = operand(a.key, s.K), value = operand(a.value, s.V);
  const float floor = floor_of(a.options);
  clear_padding(a.output, s.V, a.query_rows, s.B, s.Tq, s.H, run);

  ScanArgs<T> args = scan_args<T>(a, queries);
  set_key_sources(args, key, value, floor);
  args.a = query;
  args.floor_a = floor;
  args.out = operand(a.output, s.V);
  args.divide = a.options.normalize;
  args.denominator = a.denominator;
  if (a.options.causal) {
    set_query_heads(args, s);
    args.initial = states(a.S, a.z, args.N, s.K, s.V, false);
    args.last = states(a.S_out, a.z_out, args.N, s.K, s.V, false);
    if (s.H > 0) return sweep({args}, run);
    set_key_heads(args, s, s.G);
    return a.S_out ? sum(args, run) : void();
  }
  ScanArgs<T> keys = scan_args<T>(a, tokens_of(a.key_rows, s.B, s.Tk, run));
  set_key_sources(keys, key, value, floor);
  set_key_heads(keys, s, s.G);
  const int64_t heads = s.B * s.G;
  keys.last = states(run.scratch<float>(heads * args.N * s.K * s.V), run.scratch<float>(heads * args.N * s.K),
                     args.N, s.K, s.V, false);
  sum(keys, run);
  set_query_heads(args, s);
  args.initial = keys.last;
  read({args}, run);
}

template <class T>
void start_passes(const AttentionState<T>& a, Run& run) {
  const auto& s = a.shape;
  ScanArgs<T> args = scan_args<T>(a, tokens_of(a.key_rows, s.B, s.Tk, run));
  set_key_sources(args, operand(a.key, s.K), operand(a.value, s.V), floor_of(a.options));
  set_key_heads(args, s, s.G);
  args.last = states(a.S, a.z, args.N, s.K, s.V, false);
  sum(args, run);
}

template <class T>
void start_passes(const AttentionRead<T>& a, Run& run) {
  const auto& s = a.shape;
  ScanArgs<T> args = scan_args<T>(a, Tokens{.length = s.Tq});
  args.a = operand(a.query, s.K);
  args.floor_a = floor_of(a.options);
  args.out = operand(a.output, s.V);
  args.x_width = static_cast<int>(s.K);
  args.y_width = static_cast<int>(s.V);
  args.along = Along::b;
  args.divide = a.options.normalize;
  args.denominator = a.denominator;
  set_query_heads(args, s);
  args.initial = states(a.S, a.z, args.N, s.K, s.V, false);
  read({args}, run);
}

/// What the passes of a gradient share.
template <class T>
struct Gradients {
  AttentionShape shape = {};
  ScanArgs<T> query_args = {}, key_args = {};  ///< common arguments of readers that are queries, and keys
  Operand<const T> query = {}, key = {}, value = {}, d_output = {};
  Operand<T> d_query = {}, d_key = {}, d_value = {};
  Terms terms = {};
  float floor = 0;
  bool normalize = false;

  /// d_query, from the keys' state or sweep.
  ScanArgs<T> of_query() const {
    ScanArgs<T> args = query_args;
    set_query_heads(args, shape);
    args.a = d_output;
    args.b = value;
    args.c = key;
    args.floor_c = floor;
    if (floor == 0) args.gate = query;
    args.out = d_query;
    args.x_width = static_cast<int>(shape.V);
    args.y_width = static_cast<int>(shape.K);
    args.parts = states(static_cast<float*>(nullptr), nullptr, args.N, shape.K, shape.V, true);
    args.along = normalize ? Along::c : Along::nothing;
    args.reader_scale = terms.scale;
    args.reader_add = terms.add;
    return args;
  }
  /// d_key, from the queries' state or sweep.
  ScanArgs<T> of_key() const {
    ScanArgs<T> args = key_args;
    args.reverse = true;
    args.a = value;
    args.b = d_output;
    args.c = query;
    args.floor_c = floor;
    if (floor == 0) args.gate = key;
    args.out = d_key;
    args.x_width = static_cast<int>(shape.V);
    args.y_width = static_cast<int>(shape.K);
    args.parts = states(static_cast<float*>(nullptr), nullptr, args.N, shape.K, shape.V, true);
    args.along = Along::c;
    args.along_grows = normalize;
    args.source_scale = terms.scale;
    args.source_add = terms.add;
    set_key_heads(args, shape, shape.H);
    return args;
  }
  ScanArgs<T> of_value() const {
    ScanArgs<T> args = key_args;
    args.reverse = true;
    args.a = key;
    args.floor_a = floor;
    args.b = query;
    args.floor_b = floor;
    args.c = d_output;
    args.out = d_value;
    args.x_width = static_cast<int>(shape.K);
    args.y_width = static_cast<int>(shape.V);
    args.source_scale = terms.scale;
    set_key_heads(args, shape, shape.H);
    return args;
  }
  /// The reverse state: of every query, [K, V] and [K].
  ScanArgs<T> of_state() const {
    ScanArgs<T> args = query_args;
    args.b = query;
    args.floor_b = floor;
    args.c = d_output;
    args.x_width = static_cast<int>(shape.K);
    args.y_width = static_cast<int>(shape.V);
    args.along = Along::b;
    args.along_grows = normalize;
    args.source_scale = terms.scale;
    args.source_add = terms.add;
    set_key_heads(args, shape, shape.H);
    return args;
  }
};

template <class T>
void start_passes(const AttentionBackward<T>& a, Run& run) {
  const auto& s = a.shape;
  const int64_t N = a.options.states();
  const Tokens queries = tokens_of(a.query_rows, s.B, s.Tq, run);
  const Tokens keys = a.options.causal ? queries : tokens_of(a.key_rows, s.B, s.Tk, run);
  clear_padding(a.d_query, s.K, a.query_rows, s.B, s.Tq, s.H, run);
  clear_padding(a.d_key, s.K, a.key_rows, s.B, s.Tk, s.G, run);
  clear_padding(a.d_value, s.V, a.key_rows, s.B, s.Tk, s.G, run);
  const Gradients<T> gradients{s,
                               scan_args<T>(a, queries),
                               scan_args<T>(a, keys),
                               operand(a.query, s.K),
                               operand(a.key, s.K),
                               operand(a.value, s.V),
                               operand(a.d_output, s.V),
                               operand(a.d_query, s.K),
                               operand(a.d_key, s.K),
                               operand(a.d_value, s.V),
                               row_terms<T>(a, queries, a.query_rows.cu_seqlens != nullptr, run),
                               floor_of(a.options),
                               a.options.normalize};
  auto of_query = gradients.of_query(), of_key = gradients.of_key(), of_value = gradients.of_value();
  if (a.options.causal) {
    of_query.initial = states(a.S, a.z, N, s.K, s.V, true);
    of_key.initial = states(a.dS_out, a.dz_out, N, s.K, s.V, true);
    of_value.initial = states(a.dS_out, nullptr, N, s.K, s.V, false);
    of_key.last = states(static_cast<float*>(nullptr), a.dz, N, s.K, s.V, true);
    of_value.last = states(a.dS, nullptr, N, s.K, s.V, false);
    return sweep({of_key, of_value, of_query}, run);
  }
  const auto make_states = [&](bool transposed) {
    return states(run.scratch<float>(s.B * s.G * N * s.K * s.V), run.scratch<float>(s.B * s.G * N * s.K), N,
                  s.K, s.V, transposed);
  };
  auto of_keys = gradients.key_args, of_queries = gradients.of_state();
  set_key_sources(of_keys, gradients.key, gradients.value, gradients.floor);
  set_key_heads(of_keys, s, s.G);
  of_keys.last = make_states(false);
  of_queries.last = make_states(false);
  sum(of_keys, run);
  sum(of_queries, run);
  of_query.initial = states(of_keys.last.S, of_keys.last.z, N, s.K, s.V, true);
  of_key.initial = states(of_queries.last.S, of_queries.last.z, N, s.K, s.V, true);
  of_value.initial = of_queries.last;
  read({of_key, of_value, of_query}, run);
}

template <class T>
void start_passes(const AttentionStateBackward<T>& a, Run& run) {
  const auto& s = a.shape;
  const int64_t N = a.options.states();
  const Tokens keys = tokens_of(a.key_rows, s.B, s.Tk, run);
  clear_padding(a.d_key, s.K, a.key_rows, s.B, s.Tk, s.G, run);
  clear_padding(a.d_value, s.V, a.key_rows, s.B, s.Tk, s.G, run);
  Gradients<T> gradients{.shape = s,
                         .key_args = scan_args<T>(a, keys),
                         .key = operand(a.key, s.K),
                         .value = operand(a.value, s.V),
                         .d_key = operand(a.d_key, s.K),
                         .d_value = operand(a.d_value, s.V),
                         .floor = floor_of(a.options)};
  gradients.shape.H = s.G;
  auto of_key = gradients.of_key(), of_value = gradients.of_value();
  of_key.initial = states(a.dS, a.dz, N, s.K, s.V, true);
  of_value.initial = states(a.dS, nullptr, N, s.K, s.V, false);
  read({of_key, of_value}, run);
}

template <class T>
void start_passes(const AttentionReadBackward<T>& a, Run& run) {
  const auto& s = a.shape;
  const int64_t N = a.options.states();
  const Tokens queries{.length = s.Tq};
  const Gradients<T> gradients{.shape = s,
                               .query_args = scan_args<T>(a, queries),
                               .query = operand(a.query, s.K),
                               .d_output = operand(a.d_output, s.V),
                               .d_query = operand(a.d_query, s.K),
                               .terms = row_terms<T>(a, queries, false, run),
                               .floor = floor_of(a.options),
                               .normalize = a.options.normalize};
  auto of_query = gradients.of_query();
  of_query.initial = states(a.S, a.z, N, s.K, s.V, true);
  read({of_query}, run);
  if (!a.dS) return;
  auto of_state = gradients.of_state();
  of_state.last = states(a.dS, a.dz, N, s.K, s.V, false);
  sum(of_state, run);
}

template <class T>
void start_passes(const AttentionStep<T>& a, Run& run) {
  const auto& s = a.shape;
  const StepArgs<T> args{operand(a.query, s.K),
                         operand(a.key, s.K),
                         operand(a.value, s.V),
                         operand(a.output, s.V),
                         a.S,
                         a.z,
                         a.position,
                         s.B,
                         a.options.horizon.value_or(0),
                         static_cast<int>(s.G),
                         static_cast<int>(s.G > 0 ? s.H / s.G : 1),
                         static_cast<int>(a.options.states()),
                         static_cast<int>(s.K),
                         static_cast<int>(s.V),
                         a.decay,
                         floor_of(a.options),
                         a.options.eps,
                         a.options.normalize};
  run.start<Step<T>>(Step<T>::blocks(args), args);
}

}  // namespace cosformer::cuda
