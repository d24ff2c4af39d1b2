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

template <class Args>
void check_call(const Args& args) {
  check(args, Values::out_of_reach);
  const auto& s = args.shape;
  const auto require_width = [](const char* name, int64_t width) {
    if (width > kWidest) {
      throw ShapeError(std::string("attention: ") + name + " must be at most " + std::to_string(kWidest) +
                       " on a GPU, got " + std::to_string(width));
    }
  };
  require_width("K", s.K);
  require_width("V", s.V);
  if (std::max(s.Tq, s.Tk) > std::numeric_limits<int32_t>::max()) {
    throw ShapeError("attention: T must be below 2^31 on a GPU, got " + std::to_string(std::max(s.Tq, s.Tk)));
  }
}

template <class T>
Operand<T> operand(const View<T>& view, int64_t width) {
  constexpr int64_t kVector = 16 / sizeof(T);
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % 16 == 0 && view.batch_stride % kVector == 0 &&
                       view.time_stride % kVector == 0 && view.head_stride % kVector == 0 &&
                       width % kVector == 0;
  return {view.data, view.batch_stride, view.time_stride, view.head_stride, static_cast<int>(width), aligned};
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
  const RowTermsArgs<T> args{operand(a.output, s.V),
                             operand(a.d_output, s.V),
                             a.denominator,
                             queries,
                             packed ? 1 : s.B,
                             static_cast<int>(s.H),
                             a.options.eps,
                             terms.scale,
                             terms.add};
  run.start<RowTerms<T>>(RowTerms<T>::blocks(args), args);
  return terms;
}

}  // namespace cosformer::cuda
