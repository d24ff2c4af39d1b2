#include "fuzz/random_call.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace cosformer::test {
namespace {

constexpr int64_t kMostBytes = 1 << 20;
constexpr unsigned char kPoison = 0xA5;
constexpr int64_t kMostSize = 64;
constexpr Wide kMany = Wide{1} << 64;  // more than can be counted; its products with a size are Wide

/// The product of sizes, kMany where it is more; 0 where one is not above 0.
Wide count(std::initializer_list<int64_t> sizes) {
  if (std::min(sizes) <= 0) return 0;
  Wide product = 1;
  for (const int64_t size : sizes) product = std::min(product * size, kMany);
  return product;
}

bool countable(Wide elements) {
  return elements <= std::numeric_limits<int64_t>::max() / 8;
}

int64_t element_size(int32_t dtype) {
  return dtype == COSFORMER_BFLOAT16 ? 2 : dtype == COSFORMER_FLOAT64 ? 8 : 4;
}

int64_t draw_size(RandomBytes& bytes, int64_t most) {
  return bytes.one_in(64) ? bytes.extreme() : bytes.below(most + 1);
}

}  // namespace

RandomCall::RandomCall(RandomBytes& bytes) {
  call_.size = bytes.one_in(64) ? static_cast<std::size_t>(bytes.byte()) : sizeof call_;
  call_.dtype = bytes.one_in(64) ? bytes.byte() : static_cast<int32_t>(bytes.below(3));
  draw_sizes(bytes);
  if (!has_memory_) return;
  call_.horizon = bytes.one_in(32) ? bytes.extreme() : bytes.one_in(4) ? 0 : 64 + bytes.byte();
  call_.causal = !bytes.one_in(3);
  call_.numerator_only = bytes.one_in(4);
  call_.feature_map = bytes.one_in(64) ? bytes.byte() : static_cast<int32_t>(bytes.below(2));
  call_.eps = bytes.one_in(32) ? -1.0F : bytes.one_in(32) ? std::numeric_limits<float>::quiet_NaN() : 0.0F;

  draw_rows(bytes, call_.query_rows, call_.Tq);
  call_.key_rows = call_.query_rows;
  if (call_.Tk != call_.Tq || bytes.one_in(3)) draw_rows(bytes, call_.key_rows, call_.Tk);
  const bool packed_queries = call_.query_rows.cu_seqlens, packed_keys = call_.key_rows.cu_seqlens;

  const auto [B, Tq, Tk, H, G, K, V] =
      std::array{call_.B, call_.Tq, call_.Tk, call_.H, call_.G, call_.K, call_.V};
  call_.query = tensor(bytes, Tq, H, K, packed_queries, Role::input);
  call_.key = tensor(bytes, Tk, G, K, packed_keys, Role::input);
  call_.value = tensor(bytes, Tk, G, V, packed_keys, Role::input);
  call_.output = tensor(bytes, Tq, H, V, packed_queries, Role::result);
  call_.d_output = tensor(bytes, Tq, H, V, packed_queries, Role::input);
  call_.d_query = tensor(bytes, Tq, H, K, packed_queries, Role::result);
  call_.d_key = tensor(bytes, Tk, G, K, packed_keys, Role::result);
  call_.d_value = tensor(bytes, Tk, G, V, packed_keys, Role::result);

  const int64_t state = call_.dtype == COSFORMER_FLOAT64 ? 8 : 4;
  const int64_t N = call_.horizon != 0 ? 2 : 1;
  const Wide S = count({B, G, N, K, V}), z = count({B, G, N, K});
  call_.denominator = array(bytes, count({packed_queries ? 1 : B, Tq, H}), state, Role::result);
  if (!bytes.one_in(2)) {
    call_.S = array(bytes, S, state, Role::input);
    call_.z = array(bytes, z, state, Role::input);
  }
  if (!bytes.one_in(2)) {
    call_.S_out = array(bytes, S, state, Role::result);
    call_.z_out = array(bytes, z, state, Role::result);
    call_.dS_out = array(bytes, S, state, Role::input);
    call_.dz_out = array(bytes, z, state, Role::input);
    call_.dS = array(bytes, S, state, Role::result);
    call_.dz = array(bytes, z, state, Role::result);
  }

  positions_ = std::clamp<int64_t>(B, 0, 16);
  position_.reset(new int64_t[static_cast<std::size_t>(positions_)]);
  for (int64_t b = 0; b < positions_; ++b)
    position_[b] = bytes.one_in(32) ? bytes.extreme() : bytes.below(40);
  position_before_.reset(new int64_t[static_cast<std::size_t>(positions_)]);
  std::copy_n(position_.get(), positions_, position_before_.get());
  if (bytes.one_in(2)) call_.position = position_.get();
  if (bytes.one_in(3)) {
    auto* decay = static_cast<float*>(array(bytes, count({G}), 4, Role::input));
    for (int64_t g = 0; decay && has_memory_ && !must_be_refused_ && g < G; ++g) {
      decay[g] = bytes.one_in(32) ? -1.0F : static_cast<float>(bytes.byte()) / 256;
    }
    call_.decay = decay;
  }
}

void RandomCall::draw_sizes(RandomBytes& bytes) {
  call_.B = draw_size(bytes, 3);
  call_.Tq = draw_size(bytes, 40);
  call_.Tk = bytes.one_in(3) ? draw_size(bytes, 40) : call_.Tq;
  call_.G = draw_size(bytes, 3);
  call_.H = bytes.one_in(16)            ? draw_size(bytes, 6)
            : std::abs(call_.G / 2) < 8 ? call_.G * (1 + bytes.below(2))
                                        : call_.G;
  call_.K = draw_size(bytes, 33);
  call_.V = draw_size(bytes, 33);
  const auto [least, most] = std::minmax({call_.B, call_.Tq, call_.Tk, call_.H, call_.G, call_.K, call_.V});
  // Every function takes queries or keys; packed, the number of sequences is none of their sizes.
  must_be_refused_ = least < 0 || !countable(most) ||
                     (call_.B > 0 && !countable(count({call_.Tq, call_.H, call_.K})) &&
                      !countable(count({call_.Tk, call_.G, call_.K})));
  if (most > kMostSize && !must_be_refused_) has_memory_ = false;
}

void RandomCall::draw_rows(RandomBytes& bytes, cosformer_rows& rows, int64_t T) {
  rows = {};
  const int64_t B = call_.B;
  if (B < 0 || T < 0 || !has_memory_) return;
  if (bytes.one_in(3)) {
    rows.padding_batch_stride = T;
    rows.padding_time_stride = 1;
    auto* padding = reinterpret_cast<bool*>(memory(count({B, T}), Role::input));
    for (int64_t i = 0; !must_be_refused_ && i < B * T; ++i) padding[i] = bytes.one_in(3);
    rows.padding = padding;
  }
  if (bytes.one_in(4)) {
    auto* cu = reinterpret_cast<int64_t*>(memory((Wide{B} + 1) * 8, Role::input));
    for (int64_t b = 0; !must_be_refused_ && b <= B; ++b) {
      cu[b] = b == 0 ? 0 : b == B ? T : std::min(T, cu[b - 1] + bytes.below(16));
    }
    if (!must_be_refused_ && bytes.one_in(16)) cu[bytes.below(B + 1)] = bytes.extreme();
    rows.cu_seqlens = cu;
  }
}

cosformer_tensor RandomCall::tensor(RandomBytes& bytes, int64_t T, int64_t heads, int64_t width, bool packed,
                                    Role role) {
  const int64_t B = packed ? 1 : call_.B;
  cosformer_tensor t{};
  // Products wrap where a size is extreme; then there is no memory, or the call must be refused.
  const auto times = [](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  };
  const bool heads_first = bytes.one_in(3);
  t.head_stride = heads_first ? times(T, width) : width;
  t.time_stride = heads_first ? width : times(heads, width);
  t.batch_stride = times(T, times(heads, width));
  const bool nothing = B <= 0 || T <= 0 || heads <= 0 || width <= 0;
  // Pointers into a tensor without elements, and to its end, are computed, never read, and must not wrap
  // around.
  for (int64_t* stride : {&t.batch_stride, &t.time_stride, &t.head_stride}) {
    if (nothing || (packed && T == 1)) break;
    if (bytes.one_in(64)) *stride = bytes.extreme();
    if (bytes.one_in(32)) *stride = times(*stride, -1);
    if (bytes.one_in(32)) *stride = times(*stride, 1 + bytes.below(3));
  }
  if (!nothing && bytes.one_in(64)) return t;  // null
  Wide low = 0, high = static_cast<Wide>(width) - 1;
  const std::array sizes{B, T, heads}, strides{packed ? 0 : t.batch_stride, t.time_stride, t.head_stride};
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    const Wide reach = static_cast<Wide>(strides[d]) * (static_cast<Wide>(sizes[d]) - 1);
    (reach < 0 ? low : high) += std::clamp(reach, -kMany, kMany);
  }
  const int64_t element = element_size(call_.dtype);
  // A tensor that reaches too far to be counted must be refused before it is touched.
  if (nothing || must_be_refused_ || !countable(high - low)) {
    t.data = memory(0, role);
    return t;
  }
  unsigned char* data = memory((high - low + 1) * element, role);
  t.data = has_memory_ ? data - static_cast<int64_t>(low) * element : data;
  return t;
}

void* RandomCall::array(RandomBytes& bytes, Wide elements, int64_t element, Role role) {
  if (bytes.one_in(32)) return nullptr;
  return memory(elements * element, role);
}

unsigned char* RandomCall::memory(Wide bytes, Role role) {
  if (bytes < 0) bytes = 0;
  if (bytes > kMostBytes || must_be_refused_) {
    has_memory_ = must_be_refused_;
    bytes = 0;
  }
  const auto size = static_cast<std::size_t>(bytes);
  memory_.emplace_back(new unsigned char[size]);
  unsigned char* data = memory_.back().get();
  std::memset(data, role == Role::result ? kPoison : 0x3C, size);  // 0x3C3C is a small bfloat16
  if (role == Role::result) results_.push_back({data, size});
  return data;
}

bool RandomCall::untouched() const {
  return std::all_of(results_.begin(), results_.end(),
                     [](const Result& r) {
                       return std::all_of(r.data, r.data + r.size,
                                          [](unsigned char c) { return c == kPoison; });
                     }) &&
         std::equal(position_.get(), position_.get() + positions_, position_before_.get());
}

}  // namespace cosformer::test
