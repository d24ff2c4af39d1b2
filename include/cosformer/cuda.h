#pragma once

#include <cstddef>
#include <functional>

#include "cosformer/attention.h"
#include "cosformer/float16.h"

/// The functions of cosformer/attention.h on an NVIDIA GPU (compute capability 8.0 or later). Arguments are
/// the same structs; every pointer in them, rows, positions and decay too, is to memory of the current
/// device (or Execution's), where the call's work is queued on a stream: results are there when the stream
/// has come to it. K and V up to 256.
///
/// T is float, bfloat16 or float16. Sums, states and denominators are float; products of 16-bit types run on
/// tensor cores, those of float in full precision unless Execution::tf32 says otherwise. Of a call's values
/// nothing is looked at: a position outside [0, M), a negative decay and cu_seqlens that do not rise give NaN
/// in their rows or wrong numbers, and no access outside the tensors.
///
/// Results are the same bits whatever the batch, padding, strides, stream and GPU of one kind.
namespace cosformer::cuda {

struct Execution {
  void* stream = nullptr;  ///< cudaStream_t; null: the default one
  /// Gives memory of the device that stays until the stream has run the call, or null where there is none;
  /// none: cudaMallocAsync.
  std::function<void*(std::size_t bytes)> scratch = {};
  /// How many blocks fill the GPU; decides how finely work is split only. 0: as many as it has processors.
  int width = 0;
  /// Whose instructions multiply: 90 those of Hopper (on such a GPU alone), 80 those that all have. 0: the
  /// GPU's own.
  int architecture = 0;
  /// Products of float round their factors to TF32 (11 bits), on tensor cores; sums and states stay float.
  bool tf32 = false;
  /// Number of the GPU that has the memory and the stream; below 0: the current one. Afterwards the one
  /// before is current again, unless it has no context yet: to make it current would create one.
  int device = -1;
};

/// Whether this build has the kernels. Without them every function throws DeviceError.
COSFORMER_API bool is_built();
/// Whether there is also a GPU that they can run on.
COSFORMER_API bool is_available();

// Whatever is refused is refused before anything is written or queued.
// @throws ShapeError as the functions of cosformer/attention.h do, as far as no values are needed, for K or V
//         above 256, and for memory that does not begin at a multiple of an element's size; OutOfMemory for
//         too little scratch memory; DeviceError where there is no GPU, driver or code for it
// Scratch memory: T / 2,048 states of N K (V + 1) floats a sequence and head where one sequence is spread
// over the GPU, else a few numbers a row.

template <class T>
void attention_forward(const AttentionForward<T>& args, const Execution& execution = {});
template <class T>
void attention_backward(const AttentionBackward<T>& args, const Execution& execution = {});
/// Reads and writes the states once.
template <class T>
void attention_step(const AttentionStep<T>& args, const Execution& execution = {});
template <class T>
void attention_state(const AttentionState<T>& args, const Execution& execution = {});
template <class T>
void attention_state_backward(const AttentionStateBackward<T>& args, const Execution& execution = {});
template <class T>
void attention_read(const AttentionRead<T>& args, const Execution& execution = {});
template <class T>
void attention_read_backward(const AttentionReadBackward<T>& args, const Execution& execution = {});

}  // namespace cosformer::cuda
