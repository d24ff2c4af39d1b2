#pragma once

#include "kernels/cuda/device.h"

/// Products of tiles in a block's memory, a warp at a time, into registers. Element i of sum[m][n] is
///   row 16 m + lane / 4 + 8 (i / 2), column 8 n + 2 (lane % 4) + i % 2
/// whatever the type: matrix instructions for 16 bits and Tf32, multiply-adds in full precision for float.
namespace cosformer::cuda {

COSFORMER_DEVICE int lane() {
  return thread() % 32;
}
COSFORMER_DEVICE int fragment_row(int m, int i) {
  return 16 * m + lane() / 4 + 8 * (i / 2);
}
COSFORMER_DEVICE int fragment_column(int n, int i) {
  return 8 * n + 2 * (lane() % 4) + i % 2;
}

/// Two neighbours in a tile, rounded to its type.
template <class T>
COSFORMER_DEVICE void put_pair(T* to, float first, float second) {
  *reinterpret_cast<uint32_t*>(to) = narrow_pair(first, second, T{});
}
COSFORMER_DEVICE void put_pair(float* to, float first, float second) {
  struct alignas(8) Pair {
    float first, second;
  };
  *reinterpret_cast<Pair*>(to) = {first, second};
}

/// Two neighbours of a tile, where they are above `floor`.
template <class T>
COSFORMER_DEVICE void get_pair(const T* from, float floor, float (&pair)[2]) {
  struct alignas(2 * sizeof(T)) Two {
    T at[2];
  };
  const Two two = *reinterpret_cast<const Two*>(from);
  for (int i = 0; i < 2; ++i) pair[i] = at_least(widen(two.at[i]), floor);
}

/// A float that is rounded to TF32's 11 bits where it is multiplied.
template <class P>
struct StoredAs {
  using type = P;
};
template <>
struct StoredAs<Tf32> {
  using type = float;
};

/// Whether a number is finite as a factor.
template <class P>
COSFORMER_DEVICE bool finite_factor(float x) {
  return finite(x);
}
template <>
COSFORMER_DEVICE bool finite_factor<Tf32>(float x) {
  return finite(rounded(x, Tf32{}));
}

/// How a factor lies in memory: by rows of the product's rows or columns, each as deep as the product, or by
/// depth.
enum class Order { by_row, by_depth };

/// A factor of a product: elements below `floor` count as floor, where kFloored.
template <class P, Order kOrder, bool kFloored = false>
struct Factor {
  using T = typename StoredAs<P>::type;
  const T* data;
  int stride;
  float floor = 0;

  /// Element (row or column, depth).
  COSFORMER_DEVICE const T* at(int i, int depth) const {
    return kOrder == Order::by_row ? data + i * stride + depth : data + depth * stride + i;
  }
};

/// sum [16 M, 8 N] += a b, kDepth deep.
template <int kDepth, int M, int N, class T, Order kA, bool kFlooredA, Order kB, bool kFlooredB>
COSFORMER_DEVICE void add_product(float (&sum)[M][N][4], const Factor<T, kA, kFlooredA>& a,
                                  const Factor<T, kB, kFlooredB>& b) {
  static_assert(sizeof(T) == 2 && N % 2 == 0 && kDepth % 16 == 0);
  const int l = lane(), low = l % 8, second = l / 8 % 2 * 8, third = l / 16 * 8;
  const uint32_t a_floor = narrow_pair(a.floor, a.floor, T{}), b_floor = narrow_pair(b.floor, b.floor, T{});
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    uint32_t left[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      // Matrices: rows 0 to 7 and 8 to 15 at depth 0, then at depth 8.
      load_matrices<kA == Order::by_depth>(left[m], kA == Order::by_row
                                                        ? a.at(16 * m + low + second, k + third)
                                                        : a.at(16 * m + second, k + low + third));
#pragma unroll
      for (int r = 0; kFlooredA && r < 4; ++r) left[m][r] = at_least(left[m][r], a_floor, T{});
    }
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t right[4];
      // Matrices: columns 0 to 7 at depth 0 and 8, then columns 8 to 15.
      load_matrices<kB == Order::by_depth>(right, kB == Order::by_row
                                                      ? b.at(8 * n + low + third, k + second)
                                                      : b.at(8 * n + third, k + low + second));
#pragma unroll
      for (int r = 0; kFlooredB && r < 4; ++r) right[r] = at_least(right[r], b_floor, T{});
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(sum[m][n], left[m], right[0], right[1], T{});
        multiply_add(sum[m][n + 1], left[m], right[2], right[3], T{});
      }
    }
  }
}

/// Elements [depth, depth + 4) of one row or column.
template <Order kOrder, bool kFloored>
COSFORMER_DEVICE void load_four(float (&x)[4], const Factor<float, kOrder, kFloored>& from, int i,
                                int depth) {
  struct alignas(16) Four {
    float at[4];
  };
  if constexpr (kOrder == Order::by_row) {
    const auto four = *reinterpret_cast<const Four*>(from.at(i, depth));
#pragma unroll
    for (int d = 0; d < 4; ++d) x[d] = four.at[d];
  } else {
#pragma unroll
    for (int d = 0; d < 4; ++d) x[d] = *from.at(i, depth + d);
  }
#pragma unroll
  for (int d = 0; kFloored && d < 4; ++d) x[d] = at_least(x[d], from.floor);
}

template <int kDepth, int M, int N, Order kA, bool kFlooredA, Order kB, bool kFlooredB>
COSFORMER_DEVICE void add_product(float (&sum)[M][N][4], const Factor<float, kA, kFlooredA>& a,
                                  const Factor<float, kB, kFlooredB>& b) {
#pragma unroll 1
  for (int k = 0; k < kDepth; k += 4) {
    float left[M][2][4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      load_four(left[m][0], a, fragment_row(m, 0), k);
      load_four(left[m][1], a, fragment_row(m, 2), k);
    }
#pragma unroll
    for (int n = 0; n < N; ++n) {
      float right[2][4];
      load_four(right[0], b, fragment_column(n, 0), k);
      load_four(right[1], b, fragment_column(n, 1), k);
#pragma unroll
      for (int d = 0; d < 4; ++d) {
#pragma unroll
        for (int m = 0; m < M; ++m) {
#pragma unroll
          for (int i = 0; i < 4; ++i) sum[m][n][i] = fused(left[m][i / 2][d], right[i % 2][d], sum[m][n][i]);
        }
      }
    }
  }
}

/// Element (row or column, depth) of a factor, rounded.
template <Order kOrder, bool kFloored>
COSFORMER_DEVICE uint32_t load_one(const Factor<Tf32, kOrder, kFloored>& from, int i, int depth) {
  const float x = *from.at(i, depth);
  return bits_of(rounded(kFloored ? at_least(x, from.floor) : x, Tf32{}));
}

template <int kDepth, int M, int N, Order kA, bool kFlooredA, Order kB, bool kFlooredB>
COSFORMER_DEVICE void add_product(float (&sum)[M][N][4], const Factor<Tf32, kA, kFlooredA>& a,
                                  const Factor<Tf32, kB, kFlooredB>& b) {
  static_assert(kDepth % 8 == 0);
  const int i = lane() / 4, depth = lane() % 4;
#pragma unroll 2
  for (int k = 0; k < kDepth; k += 8) {
    uint32_t left[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        left[m][r] = load_one(a, 16 * m + i + 8 * (r % 2), k + depth + 4 * (r / 2));
      }
    }
#pragma unroll
    for (int n = 0; n < N; ++n) {
      const uint32_t first = load_one(b, 8 * n + i, k + depth),
                     second = load_one(b, 8 * n + i, k + depth + 4);
#pragma unroll
      for (int m = 0; m < M; ++m) multiply_add(sum[m][n], left[m], first, second, Tf32{});
    }
  }
}

}  // namespace cosformer::cuda
