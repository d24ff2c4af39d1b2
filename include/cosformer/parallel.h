#pragma once

#include <cstdint>
#include <functional>

#include "cosformer/error.h"

namespace cosformer {

/// A parallel loop: calls task(i) once for each i in [0, n), in any order, on any threads, and returns when
/// all are done. Kernels take one as an argument; their results never depend on how it divides the work, and
/// their tasks throw nothing.
using ParallelFor = std::function<void(int64_t n, const std::function<void(int64_t)>& task)>;

/// OpenMP's threads (std::thread where the library is built for the thread sanitizer): parallel_width() of
/// them, or as many as asked for.
COSFORMER_API void parallel_for(int64_t n, const std::function<void(int64_t)>& task);
COSFORMER_API void parallel_for_on(int threads, int64_t n, const std::function<void(int64_t)>& task);

/// How many tasks parallel_for runs at once at most.
COSFORMER_API int parallel_width();

/// One thread, in order.
COSFORMER_API void serial_for(int64_t n, const std::function<void(int64_t)>& task);

}  // namespace cosformer
