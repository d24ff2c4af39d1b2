#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "cosformer/attention.h"
#include "support/sanitized.h"

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

/// A GPU's memory, whose pieces begin at multiples of 256 bytes.
struct DeviceMemory {
  static constexpr std::align_val_t kAlign{256};
  static char* allocate(size_t bytes) { return static_cast<char*>(::operator new(bytes, kAlign)); }
  static void free(char* memory) { ::operator delete(memory, kAlign); }
  static void fill(char* memory, unsigned char byte, size_t bytes) { std::memset(memory, byte, bytes); }
  static void copy(void* to, const void* from, size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
  }
  static void wait() {}
};

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

struct DeviceMemory {
  static char* allocate(size_t bytes) {
    char* memory = nullptr;
    require(cudaMalloc(reinterpret_cast<void**>(&memory), bytes));
    return memory;
  }
  static void free(char* memory) { cudaFree(memory); }
  static void fill(char* memory, unsigned char byte, size_t bytes) {
    require(cudaMemset(memory, byte, bytes));
  }
  /// In either direction.
  static void copy(void* to, const void* from, size_t bytes) {
    require(cudaMemcpy(to, from, bytes, cudaMemcpyDefault));
  }
  static void wait() { require(cudaDeviceSynchronize()); }

 private:
  static void require(cudaError_t result) {
    if (result != cudaSuccess) throw std::runtime_error(cudaGetErrorString(result));
  }
};

#endif

/// Each between guards, which are NaN in every type, as is scratch memory: what reads them does not give
/// numbers, and what writes there is found.
class DeviceCopies {
 public:
  DeviceCopies() = default;
  ~DeviceCopies() {
    for (const Piece& piece : pieces_) DeviceMemory::free(piece.memory);
  }
  DeviceCopies(const DeviceCopies&) = delete;
  DeviceCopies& operator=(const DeviceCopies&) = delete;

  void* scratch(size_t bytes) { return allocate(nullptr, bytes, 0); }
  /// Null stays null; nothing becomes a place of its own. As far from a multiple of 256 bytes as here.
  template <class T>
  T* copy(T* here, int64_t elements) {
    if (!here) return nullptr;
    const size_t bytes = static_cast<size_t>(std::max<int64_t>(elements, 0)) * sizeof(T);
    void* memory = allocate(std::is_const_v<T> ? nullptr : const_cast<std::remove_const_t<T>*>(here), bytes,
                            reinterpret_cast<uintptr_t>(here) % 256);
    if (bytes > 0) DeviceMemory::copy(memory, here, bytes);
    return static_cast<T*>(memory);
  }
  void bring_back() {
    DeviceMemory::wait();
    for (const Piece& piece : pieces_) {
      if (piece.here && piece.bytes > 0) DeviceMemory::copy(piece.here, piece.there, piece.bytes);
      check_guard(piece.there - kGuard);
      check_guard(piece.there + piece.bytes);
    }
  }

 private:
  static constexpr size_t kGuard = kSanitized ? 0 : 4096;  // the address sanitizer has its own
  static constexpr unsigned char kNaN = 0xFF;              // whichever of its bytes a number begins with
  struct Piece {
    void* here;
    char *memory, *there;
    size_t bytes;
  };

  void* allocate(void* here, size_t bytes, size_t offset) {
    char* memory = DeviceMemory::allocate(offset + bytes + 2 * kGuard);
    char* there = memory + kGuard + offset;
    pieces_.push_back({here, memory, there, bytes});
    DeviceMemory::fill(memory, kNaN, offset + bytes + 2 * kGuard);
    return there;
  }
  static void check_guard(const char* guard) {
    std::array<unsigned char, kGuard> bytes;
    DeviceMemory::copy(bytes.data(), guard, kGuard);
    for (const unsigned char byte : bytes) {
      if (byte != kNaN) throw std::runtime_error("a kernel wrote beside an array");
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

}  // namespace cosformer::test
