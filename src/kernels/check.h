#pragma once

#include "cosformer/attention.h"

/// What every function of the library checks before it writes anything.
namespace cosformer {

/// What a call's checks look at: sizes, options and the arguments whose values matter.
struct Checked {
  AttentionShape shape;
  AttentionOptions options;
  const Rows* query_rows = nullptr;  ///< null: the function takes no queries
  const Rows* key_rows = nullptr;
  const int64_t* position = nullptr;
  const float* decay = nullptr;
};

/// @throws ShapeError "attention: <what>, expected ..., got ..."
void check(const Checked& call);

template <class T>
void check(const AttentionForward<T>& a) {
  check(Checked{a.shape, a.options, &a.query_rows, &a.key_rows, a.position, a.decay});
}
template <class T>
void check(const AttentionBackward<T>& a) {
  check(Checked{a.shape, a.options, &a.query_rows, &a.key_rows, a.position, a.decay});
}
template <class T>
void check(const AttentionState<T>& a) {
  check(Checked{a.shape, a.options, nullptr, &a.key_rows, a.position, a.decay});
}
template <class T>
void check(const AttentionStateBackward<T>& a) {
  check(Checked{a.shape, a.options, nullptr, &a.key_rows, a.position, a.decay});
}
inline constexpr Rows kAllRows;
template <class T>
void check(const AttentionRead<T>& a) {
  check(Checked{a.shape, a.options, &kAllRows, nullptr, a.position, nullptr});
}
template <class T>
void check(const AttentionReadBackward<T>& a) {
  check(Checked{a.shape, a.options, &kAllRows, nullptr, a.position, nullptr});
}
template <class T>
void check(const AttentionStep<T>& a) {
  if (a.shape.Tq != 1 || a.shape.Tk != 1) {
    throw ShapeError("attention: a step takes one token, expected Tq = Tk = 1, got Tq = " +
                     std::to_string(a.shape.Tq) + ", Tk = " + std::to_string(a.shape.Tk));
  }
  AttentionOptions options = a.options;
  options.causal = true;
  check(Checked{a.shape, options, &kAllRows, &kAllRows, a.position, a.decay});
}

}  // namespace cosformer
