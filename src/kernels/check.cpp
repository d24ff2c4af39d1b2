#include "kernels/check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace cosformer {
namespace {

void require(bool good, const std::string& message) {
  if (!good) throw ShapeError("attention: " + message);
}

void require_size(const char* name, int64_t size) {
  require(size >= 0, std::string(name) + " must be >= 0, got " + std::to_string(size));
}

void check_sizes(const Checked& call) {
  const auto& s = call.shape;
  require_size("B", s.B);
  require_size("Tq", s.Tq);
  require_size("Tk", s.Tk);
  require_size("H", s.H);
  require_size("G", s.G);
  require_size("K", s.K);
  require_size("V", s.V);
  if (!call.query_rows) return;
  require(s.G == 0 ? s.H == 0 : s.H % s.G == 0,
          "H must be a multiple of G = " + std::to_string(s.G) + ", got H = " + std::to_string(s.H));
}

/// Before decays, masks and positions are read: none belongs to a tensor that cannot be counted.
void check_counts(const Checked& call) {
  const auto& s = call.shape;
  if (call.query_rows) {
    check_countable({memory("query", nullptr, {call.query_rows->cu_seqlens ? 1 : s.B, s.Tq, s.H, s.K})});
  }
  if (call.key_rows) {
    const int64_t B = call.key_rows->cu_seqlens ? 1 : s.B;
    check_countable(
        {memory("key", nullptr, {B, s.Tk, s.G, s.K}), memory("value", nullptr, {B, s.Tk, s.G, s.V})});
  }
  for (const auto& [name, size] :
       {std::pair{"B", s.B}, {"Tq", s.Tq}, {"Tk", s.Tk}, {"H", s.H}, {"G", s.G}, {"K", s.K}, {"V", s.V}}) {
    require(size <= kMostElements, std::string(name) + " must be < 2^60, got " + std::to_string(size));
  }
}

void check_options(const AttentionOptions& options) {
  require(std::isfinite(options.eps) && options.eps > 0,
          "eps must be finite and > 0, got " + std::to_string(options.eps));
  require(!options.horizon || *options.horizon >= 1,
          "horizon must be >= 1 or none, got " + std::to_string(options.horizon.value_or(0)));
}

void check_decay(const Checked& call) {
  if (!call.decay) return;
  require(call.options.causal || !call.query_rows, "decay needs causal");
  if (call.values == Values::out_of_reach) return;
  for (int64_t g = 0; g < call.shape.G; ++g) {
    require(call.decay[g] >= 0 && std::isfinite(call.decay[g]), "decay must be finite and >= 0, got " +
                                                                    std::to_string(call.decay[g]) +
                                                                    " in group " + std::to_string(g));
  }
}

/// Before any of its values is looked at.
void check_padding(const char* name, const Rows& rows, int64_t B, int64_t T) {
  if (!rows.padding) return;
  check({{name,
          rows.padding,
          {1, 1, 1, B, T},
          {0, 0, 0, rows.padding_batch_stride, rows.padding_time_stride}}});
}

void check_cu_seqlens(const char* name, const Rows& rows, int64_t B, int64_t total, Values values) {
  if (!rows.cu_seqlens) return;
  const int64_t* cu = rows.cu_seqlens;
  require(!rows.padding, std::string(name) + ": packed sequences take no padding mask");
  if (values == Values::out_of_reach) return;
  require(cu[0] == 0, std::string(name) + " must begin with 0, got " + std::to_string(cu[0]));
  for (int64_t b = 0; b < B; ++b) {
    require(cu[b] <= cu[b + 1], std::string(name) + " must not decrease, got " + std::to_string(cu[b]) +
                                    ", " + std::to_string(cu[b + 1]) + " at " + std::to_string(b));
  }
  require(cu[B] == total, std::string(name) + " must end with the number of rows, " + std::to_string(total) +
                              ", got " + std::to_string(cu[B]));
}

bool padded(const Rows& rows, int64_t b, int64_t t) {
  return rows.padding && rows.padding[b * rows.padding_batch_stride + t * rows.padding_time_stride];
}

int64_t count_tokens(const Rows& rows, int64_t T, int64_t b) {
  if (rows.cu_seqlens) return rows.cu_seqlens[b + 1] - rows.cu_seqlens[b];
  int64_t count = T;
  for (int64_t t = 0; rows.padding && t < T; ++t) count -= padded(rows, b, t) ? 1 : 0;
  return count;
}

void check_causal(const Checked& call) {
  const auto& s = call.shape;
  if (!call.options.causal || !call.query_rows || !call.key_rows) return;
  const Rows &q = *call.query_rows, &k = *call.key_rows;
  require(s.Tq == s.Tk, "causal needs as many queries as keys, got Tq = " + std::to_string(s.Tq) +
                            ", Tk = " + std::to_string(s.Tk));
  require((q.cu_seqlens == nullptr) == (k.cu_seqlens == nullptr), "causal needs queries packed as keys are");
  if (call.values == Values::out_of_reach) return;
  for (int64_t b = 0; q.cu_seqlens && b < s.B; ++b) {
    require(q.cu_seqlens[b + 1] == k.cu_seqlens[b + 1],
            "causal needs equal cu_seqlens, got " + std::to_string(q.cu_seqlens[b + 1]) + " and " +
                std::to_string(k.cu_seqlens[b + 1]) + " at " + std::to_string(b + 1));
  }
  const bool same_mask = q.padding == k.padding && q.padding_batch_stride == k.padding_batch_stride &&
                         q.padding_time_stride == k.padding_time_stride;
  for (int64_t b = 0; !same_mask && b < s.B; ++b) {
    for (int64_t t = 0; t < s.Tq; ++t) {
      require(padded(q, b, t) == padded(k, b, t),
              "causal needs equal padding of queries and keys, got a difference in row " + std::to_string(b) +
                  ", time " + std::to_string(t));
    }
  }
}

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

int64_t last_position(int64_t first, int64_t length) {
  return first > kLargest - length ? kLargest : first + length - 1;
}

void check_positions(const Checked& call) {
  const auto& s = call.shape;
  for (int64_t b = 0; b < s.B; ++b) {
    const bool dense = !call.position &&
                       !(call.query_rows && (call.query_rows->padding || call.query_rows->cu_seqlens)) &&
                       !(call.key_rows && (call.key_rows->padding || call.key_rows->cu_seqlens));
    if (!dense && call.values == Values::out_of_reach) return;
    const int64_t first = call.position ? call.position[b] : 0;
    const std::string in_row = " in row " + std::to_string(b);
    require(first >= 0, "position must be >= 0, got " + std::to_string(first) + in_row);
    const int64_t length = std::max(call.query_rows ? count_tokens(*call.query_rows, s.Tq, b) : 0,
                                    call.key_rows ? count_tokens(*call.key_rows, s.Tk, b) : 0);
    const int64_t horizon = call.options.horizon.value_or(kLargest);
    require(length == 0 || first <= horizon - length,
            "position must stay below " + (call.options.horizon ? "horizon = " : std::string()) +
                std::to_string(horizon) + ", got position " + std::to_string(last_position(first, length)) +
                (dense ? "" : in_row));
    // Of padding too, which has a place in tables.
    require(first <= kLargest - std::max(s.Tq, s.Tk),
            "position must leave room for every row of the batch, got " + std::to_string(first) + in_row);
    if (dense) break;
  }
}

}  // namespace

void check(const Checked& call) {
  check_sizes(call);
  check_counts(call);
  check_options(call.options);
  check_decay(call);
  const auto& s = call.shape;
  if (call.query_rows) {
    check_padding("query padding", *call.query_rows, s.B, s.Tq);
    check_cu_seqlens("cu_seqlens_q", *call.query_rows, s.B, s.Tq, call.values);
  }
  if (call.key_rows) {
    check_padding("key padding", *call.key_rows, s.B, s.Tk);
    check_cu_seqlens("cu_seqlens_k", *call.key_rows, s.B, s.Tk, call.values);
  }
  if (call.query_rows && call.key_rows && !call.options.causal) {
    require((call.query_rows->cu_seqlens == nullptr) == (call.key_rows->cu_seqlens == nullptr),
            "queries and keys must both be packed or neither");
  }
  check_causal(call);
  check_positions(call);
}

}  // namespace cosformer
