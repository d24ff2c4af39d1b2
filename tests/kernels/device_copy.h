#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <stdexcept>
#include <vector>

#include "cosformer/attention.h"

#if !defined(COSFORMER_EMULATE_CUDA)
#include <cuda_runtime_api.h>
#endif

/// A call's arguments copied to a GPU's memory, and what the call wrote copied back. An emulated GPU's memory
/// is the CPU's.
namespace cosformer::test {

#if defined(COSFORMER_EMULATE_CUDA)

inline constexpr bool kDeviceIsEmulated = true;

inline bool is_hopper() {
  return true;
}

class DeviceCopies {
 public:
  void* scratch(size_t bytes) { return scratch_.emplace_back(bytes, '\xFF').data(); }
  void bring_back() {}

 private:
  std::list<std::vector<char>> scratch_;
};

template <class Args>
Args copy_to_device(const Args& args, DeviceCopies&) {
  return args;
}

#else

inline constexpr bool kDeviceIsEmulated = false;

/// Whether the current GPU has Hopper's instructions.
inline bool is_hopper() {
  int device = 0, major = 0, minor = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess &&
         major == 9 && minor == 0;
}

class DeviceCopies {
 public:
  DeviceCopies() = default;
  ~DeviceCopies() {
    for (const Piece& piece : pieces_) cudaFree(piece.memory);
  }
  DeviceCopies(const DeviceCopies&) = delete;
  DeviceCopies& operator=(const DeviceCopies&) = delete;

  void* scratch(size_t bytes) {
    void* memory = allocate(nullptr, bytes, 0);
    require(cudaMemset(memory, 0xFF, bytes));
    return memory;
  }
  /// Null stays null; nothing becomes a place of its own. As far from a multiple of 256 bytes as here.
  template <class T>
  T* copy(T* here, int64_t elements) {
    if (!here) return nullptr;
    const size_t bytes = static_cast<size_t>(std::max<int64_t>(elements, 0)) * sizeof(T);
    void* memory = allocate(std::is_const_v<T> ? nullptr : const_cast<std::remove_const_t<T>*>(here), bytes,
                            reinterpret_cast<uintptr_t>(here) % 256);
    if (bytes > 0) require(cudaMemcpy(memory, here, bytes, cudaMemcpyHostToDevice));
    return static_cast<T*>(memory);
  }
  void bring_back() {
    require(cudaDeviceSynchronize());
    for (const Piece& piece : pieces_) {
      if (piece.here && piece.bytes > 0)
        require(cudaMemcpy(piece.here, piece.there, piece.bytes, cudaMemcpyDeviceToHost));
      check_guard(piece.there - kGuard);
      check_guard(piece.there + piece.bytes);
    }
  }

 private:
  static constexpr size_t kGuard = 4096;
  static constexpr unsigned char kPattern = 0xA5;
  struct Piece {
    void* here;
    char *memory, *there;
    size_t bytes;
  };

  static void require(cudaError_t result) {
    if (result != cudaSuccess) throw std::runtime_error(cudaGetErrorString(result));
  }
  void* allocate(void* here, size_t bytes, size_t offset) {
    char* memory = nullptr;
    require(cudaMalloc(reinterpret_cast<void**>(&memory), offset + bytes + 2 * kGuard));
    require(cudaMemset(memory, kPattern, offset + bytes + 2 * kGuard));
    char* there = memory + kGuard + offset;
    pieces_.push_back({here, memory, there, bytes});
    return there;
  }
  static void check_guard(const char* guard) {
    std::array<unsigned char, kGuard> bytes;
    require(cudaMemcpy(bytes.data(), guard, kGuard, cudaMemcpyDeviceToHost));
    for (const unsigned char byte : bytes) {
      if (byte != kPattern) throw std::runtime_error("a kernel wrote beside an array");
    }
  }

  std::vector<Piece> pieces_;
};

template <class Args>
Args copy_to_device(Args args, DeviceCopies& copies) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const int64_t N = args.options.states();
  const auto view = [&](auto& v, int64_t length, int64_t heads, int64_t width, bool packed) {
    const int64_t batches = packed ? 1 : B;
    const int64_t elements = batches * length * heads * width == 0
                                 ? 0
                                 : (batches - 1) * v.batch_stride + (length - 1) * v.time_stride +
                                       (heads - 1) * v.head_stride + width;
    v.data = copies.copy(v.data, elements);
  };
  const auto rows = [&](Rows& r, int64_t length) {
    const bool packed = r.cu_seqlens;
    r.padding = copies.copy(r.padding, B * length);
    r.cu_seqlens = copies.copy(r.cu_seqlens, B + 1);
    return packed;
  };
  bool q = false, k = false;  // whether packed
  if constexpr (requires { args.query_rows; }) q = rows(args.query_rows, Tq);
  if constexpr (requires { args.key_rows; }) k = rows(args.key_rows, Tk);
  if constexpr (requires { args.query; }) view(args.query, Tq, H, K, q);
  if constexpr (requires { args.key; }) view(args.key, Tk, G, K, k);
  if constexpr (requires { args.value; }) view(args.value, Tk, G, V, k);
  if constexpr (requires { args.output; }) view(args.output, Tq, H, V, q);
  if constexpr (requires { args.d_output; }) view(args.d_output, Tq, H, V, q);
  if constexpr (requires { args.d_query; }) view(args.d_query, Tq, H, K, q);
  if constexpr (requires { args.d_key; }) view(args.d_key, Tk, G, K, k);
  if constexpr (requires { args.d_value; }) view(args.d_value, Tk, G, V, k);
  if constexpr (requires { args.denominator; })
    args.denominator = copies.copy(args.denominator, (q ? 1 : B) * Tq * H);
  if constexpr (requires { args.decay; }) args.decay = copies.copy(args.decay, G);
  args.position = copies.copy(args.position, B);
  const int64_t z = B * G * N * K;
  if constexpr (requires { args.S; }) args.S = copies.copy(args.S, z * V), args.z = copies.copy(args.z, z);
  if constexpr (requires { args.S_out; })
    args.S_out = copies.copy(args.S_out, z * V), args.z_out = copies.copy(args.z_out, z);
  if constexpr (requires { args.dS; })
    args.dS = copies.copy(args.dS, z * V), args.dz = copies.copy(args.dz, z);
  if constexpr (requires { args.dS_out; })
    args.dS_out = copies.copy(args.dS_out, z * V), args.dz_out = copies.copy(args.dz_out, z);
  return args;
}

#endif

}  // namespace cosformer::test
