#pragma once

// A GPU's block of threads on a CPU, for tests: each thread a stack of its own, run one after another in an
// order drawn anew between any two barriers, so that a missing barrier shows. A block's memory begins as NaN,
// and copies arrive when they are waited for. Slow; not part of the library.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>

#include "cosformer/bfloat16.h"
#include "cosformer/float16.h"
#include "kernels/cuda/tf32.h"

#define COSFORMER_DEVICE inline

namespace cosformer::cuda {

inline constexpr int kThreads = 256;
inline constexpr int kWarps = kThreads / 32;

namespace emulator {

struct Lane {
  static constexpr size_t kOffered = 64;
  int index = 0;
  int turn = 0;
  alignas(16) char offered[2][kOffered];  ///< what a warp's other lanes may look at, in turns
};

/// The thread that runs, and its block.
Lane& self();
const Lane& lane_of_warp(int lane);
int64_t block_index();
char* block_memory();
/// Returns when every thread of the warp, or block, has come.
void warp_barrier();
void block_barrier();
bool& vote();
void begin_copy(void* to, const void* from, int bytes);
void finish_copies();

/// The block's memory as matrix instructions and the tensor memory accelerator see it: what threads wrote is
/// there from the first barrier on before which every thread has called publish().
char* published_memory();
void publish();
/// Whether every thread did before the last barrier.
bool all_have_published();
/// Where a byte of a panel stands, as PTX's manual swizzles addresses for rows of 128 or 64 bytes.
inline int swizzled(int at, int row_bytes) {
  return at ^ (at >> 7 & (row_bytes / 16 - 1)) << 4;
}

/// What is undefined on a GPU, or hangs it.
[[noreturn]] void fault(const char* what);

/// Products begin when they are waited for.
void begin_product(std::function<void()> product);
void end_products();
void wait_for_products(int later);

/// Runs every block, one after another.
void run_blocks(int64_t blocks, int memory_bytes, const std::function<void()>& thread);

/// Each lane's result from what all lanes offer. One barrier is enough: who offers for the second time after
/// this has met all lanes in between.
template <class T, class F>
auto exchange(const T& mine, F&& result) {
  static_assert(sizeof(T) <= Lane::kOffered && std::is_trivially_copyable_v<T>);
  const int turn = self().turn ^= 1;
  std::memcpy(self().offered[turn], &mine, sizeof mine);
  warp_barrier();
  const Lane* lanes = &lane_of_warp(0);
  return result([=](int l) -> const T& { return *reinterpret_cast<const T*>(lanes[l].offered[turn]); });
}

}  // namespace emulator

inline int thread() {
  return emulator::self().index;
}
inline int64_t block() {
  return emulator::block_index();
}
inline void sync() {
  emulator::block_barrier();
}
inline bool any(bool mine) {
  emulator::vote() = emulator::vote() || mine;
  emulator::block_barrier();
  const bool result = emulator::vote();
  emulator::block_barrier();
  emulator::vote() = false;
  emulator::block_barrier();
  return result;
}
inline float of_lane_xor(float mine, int mask) {
  const int l = thread() % 32;
  return emulator::exchange(mine, [&](const auto& of) { return of(l ^ mask); });
}
inline uint32_t ballot(bool mine) {
  return emulator::exchange(mine, [](const auto& of) {
    uint32_t bits = 0;
    for (int l = 0; l < 32; ++l) bits |= of(l) ? 1U << l : 0U;
    return bits;
  });
}
inline int64_t fetch_add(int64_t* number, int64_t more) {
  const int64_t before = *number;
  *number = static_cast<int64_t>(static_cast<uint64_t>(before) + static_cast<uint64_t>(more));
  return before;
}

inline char* block_memory() {
  return emulator::block_memory();
}
inline void copy16(void* to, const void* from, int bytes) {
  emulator::begin_copy(to, from, bytes);
}
inline void wait_for_copies() {
  emulator::finish_copies();
}

struct Fragment {
  uint32_t r[4];
};
struct Four {
  float at[4];
};
struct Fragment16 {
  float at[4][4];
};
template <bool kTransposed>
void load_matrices(uint32_t (&r)[4], const void* row) {
  const int l = thread() % 32;
  const auto loaded = emulator::exchange(row, [&](const auto& row_of) {
    Fragment f;
    for (int matrix = 0; matrix < 4; ++matrix) {
      uint16_t pair[2];
      for (int e = 0; e < 2; ++e) {
        const int i = kTransposed ? 2 * (l % 4) + e : l / 4, j = kTransposed ? l / 4 : 2 * (l % 4) + e;
        std::memcpy(&pair[e], static_cast<const uint16_t*>(row_of(8 * matrix + i)) + j, 2);
      }
      std::memcpy(&f.r[matrix], pair, 4);
    }
    return f;
  });
  std::memcpy(r, loaded.r, sizeof loaded.r);
}

inline void store_matrices(void* row, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const int l = thread() % 32;
  const uint32_t pairs[] = {a, b, c, d};
  emulator::exchange(row, [&](const auto& row_of) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      std::memcpy(static_cast<uint32_t*>(row_of(8 * matrix + l / 4)) + l % 4, &pairs[matrix], 4);
    }
    return 0;
  });
}
inline void warp_sync() {
  emulator::warp_barrier();
}

inline float widen(float x) {
  return x;
}
inline float widen(bfloat16 x) {
  return static_cast<float>(x);
}
inline float widen(float16 x) {
  return static_cast<float>(x);
}
inline void narrow(float x, float& to) {
  to = x;
}
inline void narrow(float x, bfloat16& to) {
  to = bfloat16(x);
}
inline void narrow(float x, float16& to) {
  to = float16(x);
}
template <class T>
uint32_t narrow_pair(float first, float second, T) {
  T pair[2];
  narrow(first, pair[0]);
  narrow(second, pair[1]);
  uint32_t bits;
  std::memcpy(&bits, pair, 4);
  return bits;
}
template <class T>
float half_of(uint32_t pair, int e) {
  T halves[2];
  std::memcpy(halves, &pair, 4);
  return widen(halves[e]);
}

template <class T>
void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, T) {
  struct Operands {
    float a[4][2], b[2][2];
  };
  Operands mine;
  for (int e = 0; e < 2; ++e) {
    for (int r = 0; r < 4; ++r) mine.a[r][e] = half_of<T>(a[r], e);
    mine.b[0][e] = half_of<T>(b0, e);
    mine.b[1][e] = half_of<T>(b1, e);
  }
  const int l = thread() % 32;
  const auto result = emulator::exchange(mine, [&](const auto& of) {
    double totals[4] = {sum[0], sum[1], sum[2], sum[3]};
    for (int quarter = 0; quarter < 4; ++quarter) {
      const auto& left = of(l / 4 * 4 + quarter).a;
      const auto& right = of(l % 4 * 8 + quarter).b;
      const auto& next_right = of(l % 4 * 8 + 4 + quarter).b;
      for (int half = 0; half < 2; ++half) {
        for (int e = 0; e < 2; ++e) {
          for (int i = 0; i < 4; ++i) {
            totals[i] += static_cast<double>(left[2 * half + i / 2][e]) *
                         static_cast<double>((i % 2 == 0 ? right : next_right)[half][e]);
          }
        }
      }
    }
    Four four;
    for (int i = 0; i < 4; ++i) four.at[i] = static_cast<float>(totals[i]);
    return four;
  });
  std::memcpy(sum, result.at, sizeof result.at);
}

inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
inline float rounded(float x, Tf32) {
  if (!std::isfinite(x)) return x;
  const uint32_t bits = (bits_of(x) + 0x1000) & 0xFFFFE000U;
  std::memcpy(&x, &bits, 4);
  return x;
}
/// Bits that the instruction does not look at are dropped.
inline void multiply_add(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Tf32) {
  struct Operands {
    float a[4], b[2];
  };
  const auto seen = [](uint32_t bits) {
    float x;
    bits &= 0xFFFFE000U;
    std::memcpy(&x, &bits, 4);
    return x;
  };
  const Operands mine{{seen(a[0]), seen(a[1]), seen(a[2]), seen(a[3])}, {seen(b0), seen(b1)}};
  const int l = thread() % 32;
  const auto result = emulator::exchange(mine, [&](const auto& of) {
    double totals[4] = {sum[0], sum[1], sum[2], sum[3]};
    for (int quarter = 0; quarter < 4; ++quarter) {
      const auto& left = of(l / 4 * 4 + quarter).a;
      for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 4; ++i) {
          totals[i] += static_cast<double>(left[i / 2 + 2 * half]) *
                       static_cast<double>(of(l % 4 * 8 + i % 2 * 4 + quarter).b[half]);
        }
      }
    }
    Four four;
    for (int i = 0; i < 4; ++i) four.at[i] = static_cast<float>(totals[i]);
    return four;
  });
  std::memcpy(sum, result.at, sizeof result.at);
}

inline uint32_t shared_address(const void* in_block_memory) {
  return static_cast<uint32_t>(static_cast<const char*>(in_block_memory) - block_memory());
}
inline void publish() {
  emulator::publish();
}
inline void begin_products() {}
inline void settle(float (&)[8][4]) {}
inline void end_products() {
  emulator::end_products();
}
template <int kLater>
void wait_for_products() {
  emulator::wait_for_products(kLater);
}

/// Element (i, depth) of a factor that a descriptor names, i along the product's rows or columns: as PTX's
/// manual lays out its two orders of a swizzled panel.
template <class T>
float factor_at(uint64_t descriptor, bool transposed, int i, int depth) {
  const auto start = static_cast<int>(descriptor & 0x3FFF) << 4,
             group = static_cast<int>(descriptor >> 32 & 0x3FFF) << 4;
  const bool wide = descriptor >> 62 == 1;
  const int row_bytes = wide ? 128 : 64;
  int at = start;
  if (transposed) {
    at += depth / 8 * group + depth % 8 * row_bytes + 2 * i;
  } else {
    at += i / 8 * group + i % 8 * row_bytes + 2 * depth;
  }
  T element;
  std::memcpy(&element, emulator::published_memory() + emulator::swizzled(at, row_bytes), sizeof element);
  return widen(element);
}

template <bool kTransposedA, bool kTransposedB, class T>
void warpgroup_multiply(float (&d)[8][4], uint64_t a, uint64_t b, bool adds, T) {
  emulator::begin_product([=, &d] {
    const int l = thread() % 32, warp = thread() / 32 % 4;
    float left[2][16];
    for (int half = 0; half < 2; ++half) {
      for (int k = 0; k < 16; ++k)
        left[half][k] = factor_at<T>(a, kTransposedA, 16 * warp + l / 4 + 8 * half, k);
    }
    for (int n = 0; n < 8; ++n) {
      for (int e = 0; e < 2; ++e) {
        double sums[2] = {adds ? d[n][e] : 0.0F, adds ? d[n][2 + e] : 0.0F};
        for (int k = 0; k < 16; ++k) {
          const double right = factor_at<T>(b, kTransposedB, 8 * n + 2 * (l % 4) + e, k);
          for (int half = 0; half < 2; ++half) sums[half] += static_cast<double>(left[half][k]) * right;
        }
        for (int half = 0; half < 2; ++half) d[n][2 * half + e] = static_cast<float>(sums[half]);
      }
    }
  });
}
template <bool kTransposedB, int kN, class T>
void warpgroup_multiply(float (&d)[kN][4], const uint32_t (&a)[4], uint64_t b, bool adds, T) {
  struct Sums {
    float at[kN][4];
  };
  struct Halves {
    float at[4][2];
  };
  Halves mine;
  for (int r = 0; r < 4; ++r) {
    for (int e = 0; e < 2; ++e) mine.at[r][e] = half_of<T>(a[r], e);
  }
  emulator::begin_product([=, &d] {
    const int l = thread() % 32;
    const auto sums = emulator::exchange(mine, [&](const auto& of) {
      Sums result;
      for (int n = 0; n < kN; ++n) {
        for (int i = 0; i < 4; ++i) {
          double sum = adds ? d[n][i] : 0.0F;
          for (int k = 0; k < 16; ++k) {
            const float left = of(l / 4 * 4 + k % 8 / 2).at[i / 2 + k / 8 * 2][k % 2];
            const float right = factor_at<T>(b, kTransposedB, 8 * n + 2 * (l % 4) + i % 2, k);
            sum += static_cast<double>(left) * static_cast<double>(right);
          }
          result.at[n][i] = static_cast<float>(sum);
        }
      }
      return result;
    });
    std::memcpy(d, sums.at, sizeof sums.at);
  });
}
template <bool kTransposedB, class T>
void warpgroup_multiply(float (&d)[4][4], const uint32_t (&a)[4], uint64_t b, T) {
  warpgroup_multiply<kTransposedB>(d, a, b, true, T{});
}

inline float at_least(float x, float floor) {
  return x >= floor || std::isnan(x) ? x : floor;
}
template <class T>
uint32_t at_least(uint32_t pair, uint32_t floors, T) {
  return narrow_pair(at_least(half_of<T>(pair, 0), half_of<T>(floors, 0)),
                     at_least(half_of<T>(pair, 1), half_of<T>(floors, 1)), T{});
}
inline float fused(float x, float y, float z) {
  return static_cast<float>(static_cast<double>(x) * static_cast<double>(y) + static_cast<double>(z));
}
inline void cos_sin_of_pi(double x, double& cosine, double& sine) {
  cosine = std::cos(x * 3.141592653589793);
  sine = std::sin(x * 3.141592653589793);
}
inline float exponential(double x) {
  return static_cast<float>(std::exp(x));
}
inline bool finite(float x) {
  return std::isfinite(x);
}

}  // namespace cosformer::cuda
