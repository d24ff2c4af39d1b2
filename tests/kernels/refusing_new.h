#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

/// operator new of the whole program, which refuses memory when it is told to.
namespace cosformer::test {

inline constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

inline std::atomic<int64_t> served = kAll;  ///< so many allocations more, of any thread
inline std::atomic<int64_t> refused = 0;    ///< allocations that were
inline std::atomic<bool> lines_alone =
    false;  ///< count those of scratch memory, aligned to a cache line, alone

}  // namespace cosformer::test
