#pragma once

// How the sweeps of few heads are divided between many threads. Bits do not depend on it: every column of a
// result is computed alone, and a sweep that is cut hands its state on as it stands.

#include <cstdint>

namespace cosformer::cpu {

/// Into how many column ranges outputs of width U are cut so that `units` sweeps keep `width` threads busy.
int64_t column_parts(int64_t units, int64_t U, int width);

/// Of a backward pass: a sweep with a twin, and one without that runs beside it.
struct Division {
  /// What share of its rows the sweep does out and twin of together, from a state that both read. The rest is
  /// done afterwards, each for itself in its own parts.
  double together = 1;
  int64_t out_parts = 1, twin_parts = 1;
  int64_t parts_beside = 1;  ///< of the other sweep
};

/// `out` and `twin` columns of the results of each unit's sweep, `beside` of the other's; `quadratic`: a
/// sweep cannot be cut, since it has no state.
Division divide(int64_t units, int64_t out, int64_t twin, int64_t beside, bool quadratic, int width);

/// Columns of part i of n.
struct Columns {
  int64_t begin = 0, end = 0;  ///< begin a multiple of kColumnAlign
};
Columns columns_of(int64_t U, int64_t part, int64_t parts);

}  // namespace cosformer::cpu
