#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/check.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/run.h"

/// What a call's passes share: checked arguments, operands, lists of tokens, numbers of rows.
namespace cosformer::cuda {

inline constexpr int64_t kWidest = 256;

/// A GPU reads an element from a multiple of its size alone: elsewhere it fails, and with it the process.
template <class T>
void check_place(const char* name, const T* data) {
  if (reinterpret_cast<uintptr_t>(data) % sizeof(T) == 0) return;
  throw ShapeError(std::string("attention: ") + name + " must begin at a multiple of " +
                   std::to_string(sizeof(T)) + " bytes on a GPU");
}

template <class Args>
void check_places(const Args& a) {
  if constexpr (requires { a.query; }) check_place("query", a.query.data);
  if constexpr (requires { a.key; }) check_place("key", a.key.data);
  if constexpr (requires { a.value; }) check_place("value", a.value.data);
  if constexpr (requires { a.output; }) check_place("output", a.output.data);
  if constexpr (requires { a.denominator; }) check_place("denominator", a.denominator);
  if constexpr (requires { a.d_output; }) check_place("d_output", a.d_output.data);
  if constexpr (requires { a.d_query; }) check_place("d_query", a.d_query.data);
  if constexpr (requires { a.d_key; }) check_place("d_key", a.d_key.data);
  if constexpr (requires { a.d_value; }) check_place("d_value", a.d_value.data);
  if constexpr (requires { a.S; }) check_place("S", a.S), check_place("z", a.z);
  if constexpr (requires { a.S_out; }) check_place("S_out", a.S_out), check_place("z_out", a.z_out);
  if constexpr (requires { a.dS; }) check_place("dS", a.dS), check_place("dz", a.dz);
  if constexpr (requires { a.dS_out; }) check_place("dS_out", a.dS_out), check_place("dz_out", a.dz_out);
  if constexpr (requires { a.decay; }) check_place("decay", a.decay);
  check_place("position", a.position);
}

template <class Args>
void check_call(const Args& args) {
  check(args, Values::out_of_reach);
  check_places(args);
  const auto& s = args.shape;
  const auto require_width = [](const char* name, int64_t width) {
    if (width > kWidest) {
      throw ShapeError(std::string("attention: ") + name + " must be at most " + std::to_string(kWidest) +
                       " on a GPU, got " + std::to_string(width));
    }
  };
  require_width("K", s.K);
  require_width("V", s.V);
  const auto require_countable = [](const char* name, int64_t size) {
    if (size > std::numeric_limits<int32_t>::max()) {
      throw ShapeError(std::string("attention: ") + name + " must be below 2^31 on a GPU, got " +
                       std::to_string(size));
    }
  };
  require_countable("Tq", s.Tq);
  require_countable("Tk", s.Tk);
  require_countable("H", s.H);
  require_countable("G", s.G);
}

template <class T>
Operand<T> operand(const View<T>& view, int64_t width) {
  constexpr int64_t kVector = 16 / sizeof(T);
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % 16 == 0 && view.batch_stride % kVector == 0 &&
                       view.time_stride % kVector == 0 && view.head_stride % kVector == 0 &&
                       width % kVector == 0;
  return {view.data, view.batch_stride, view.time_stride, view.head_stride, static_cast<int>(width), aligned};
}

inline float floor_of(const AttentionOptions& options) {
  return options.feature_map == FeatureMap::relu ? 0.0F : -std::numeric_limits<float>::infinity();
}

inline Tokens tokens_of(const Rows& rows, int64_t B, int64_t length, Run& run) {
  Tokens tokens{.cu_seqlens = rows.cu_seqlens, .length = length};
  if (!rows.padding) return tokens;
  auto* list = run.scratch<int32_t>(B * length);
  auto* counts = run.scratch<int32_t>(B);
  run.start<ListTokens>(
      B, {rows.padding, rows.padding_batch_stride, rows.padding_time_stride, length, list, counts});
  tokens.rows = list;
  tokens.counts = counts;
  return tokens;
}

template <class T>
void clear_padding(const View<T>& view, int64_t width, const Rows& rows, int64_t B, int64_t length,
                   int64_t heads, Run& run) {
  if (!rows.padding) return;
  const ClearPaddingArgs<T> args{
      operand(view, width),   rows.padding, rows.padding_batch_stride, rows.padding_time_stride, B, length,
      static_cast<int>(heads)};
  run.start<ClearPadding<T>>(ClearPadding<T>::blocks(args), args);
}

/// 1 / max(den, eps) and the gradient of den, of every query.
struct Terms {
  float *scale = nullptr, *add = nullptr;
};
template <class T, class Args>
Terms row_terms(const Args& a, const Tokens& queries, bool packed, Run& run) {
  if (!a.options.normalize) return {};
  const auto& s = a.shape;
  const int64_t rows = (packed ? 1 : s.B) * s.Tq * s.H;
  const Terms terms{run.scratch<float>(rows), run.scratch<float>(rows)};
  const RowTermsArgs<T> args{operand(a.query, s.K),
                             operand(a.output, s.V),
                             operand(a.d_output, s.V),
                             a.denominator,
                             queries,
                             packed ? 1 : s.B,
                             static_cast<int>(s.H),
                             floor_of(a.options),
                             a.options.eps,
                             terms.scale,
                             terms.add};
  run.start<RowTerms<T>>(RowTerms<T>::blocks(args), args);
  return terms;
}

}  // namespace cosformer::cuda
