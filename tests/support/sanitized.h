#pragma once

namespace cosformer::test {

/// Whether this is a build under sanitizers, in which arithmetic takes ten times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace cosformer::test
