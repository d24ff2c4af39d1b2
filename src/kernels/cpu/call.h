#pragma once

// What all sweeps of one call share, and how they are run.

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/cpu/angles.h"
#include "kernels/cpu/form.h"
#include "kernels/cpu/levels.h"
#include "kernels/cpu/tasks.h"
#include "kernels/cpu/tokens.h"

namespace cosformer::cpu {

/// Rows between two updates of the state where sweeps are not causal.
inline constexpr int64_t kLongChunk = 32;

/// One group of heads of one sequence.
struct Unit {
  int64_t b = 0, g = 0;
};

/// Makes the sweep of a unit; its columns are set by whoever asks.
template <class T>
using MakeSweep = std::function<Sweep<T>(const Unit&)>;

/// One product of a call: a sweep of every unit, over outputs of width U.
template <class T>
struct Pass {
  int64_t X = 0, U = 0;
  bool whole = false;     ///< needs all columns in one sweep (a twin)
  bool reversed = false;  ///< causal sums go over the rows that follow
  MakeSweep<T> make;
};

template <class T>
class Call {
 public:
  Call(Results results, const AttentionShape& shape, const AttentionOptions& options, const Rows& query_rows,
       const Rows& key_rows, const float* decay, const int64_t* position, const Execution& execution)
      : queries(query_rows, shape.B, shape.Tq),
        keys(key_rows, shape.B, shape.Tk),
        results_(results),
        shape_(shape),
        options_(options),
        execution_(execution),
        kernels_(kernels_of<T>(execution.isa)),
        angles_(options.horizon, position, shape.B, std::max(queries.longest(), keys.longest())),
        weights_(options.horizon, decay, shape.G, longest_chunk() + kBlock),
        decay_(decay),
        fading_(decay, shape.G, std::max(longest_chunk(), kLongChunk) + 1),
        streams_(execution.streams.value_or(bytes_of_results() >= kCached * execution.width)) {}

  const Tokens queries, keys;

  const Kernels<T>& kernels() const { return kernels_; }
  const Execution& execution() const { return execution_; }
  /// Without memory of its own for the loop's body.
  template <class Body>
  void parallel(int64_t n, const Body& body) const {
    execution_.parallel(n, std::ref(body));
  }
  const AttentionOptions& options() const { return options_; }
  bool relu() const { return options_.feature_map == FeatureMap::relu; }
  int64_t heads_of_group() const { return shape_.G == 0 ? 0 : shape_.H / shape_.G; }

  Side query_side(int64_t b) const { return with_angles(queries.side(b), b); }
  Side key_side(int64_t b) const { return with_angles(keys.side(b), b); }

  /// A sweep of a unit with everything but matrices; x on the queries' side unless reversed.
  Sweep<T> sweep(const Unit& unit, const Pass<T>& pass) const;

  /// Whether sequence b goes without states.
  bool quadratic(int64_t b) const {
    if (execution_.form != Form::automatic) return execution_.form == Form::quadratic;
    return quadratic_is_cheaper(results_, queries.count(b), keys.count(b), shape_.K, shape_.V, options_);
  }
  /// Every unit, the longest first.
  std::vector<Unit> units() const;
  /// Whether two units' sweeps differ in pointers alone.
  bool alike(const Unit& a, const Unit& b) const {
    return queries.count(a.b) == queries.count(b.b) && keys.count(a.b) == keys.count(b.b);
  }
  /// What is left of a group's state after n more tokens.
  float left_after(int64_t g, int64_t n) const {
    return decay_ ? static_cast<float>(std::exp(-static_cast<double>(decay_[g]) * static_cast<double>(n)))
                  : 1.0F;
  }

 private:
  int64_t chunk(int64_t b) const {
    const int64_t longer = std::max(queries.count(b), keys.count(b));
    if (quadratic(b)) return std::max<int64_t>(kBlock, (longer + kBlock - 1) / kBlock * kBlock);
    return options_.causal ? kernels_.chunk(shape_.K, shape_.V) : kLongChunk;
  }
  /// What a thread may hope to find in caches of what it wrote.
  static constexpr int64_t kCached = int64_t{2} << 20;
  int64_t bytes_of_results() const {
    const AttentionShape& s = shape_;
    const int64_t query_rows = queries.first_line(s.B), key_rows = keys.first_line(s.B);
    const int64_t elements = results_ == Results::output
                                 ? query_rows * s.H * s.V
                                 : query_rows * s.H * s.K + key_rows * s.G * (s.K + s.V);
    return elements * static_cast<int64_t>(sizeof(T));
  }
  int64_t longest_chunk() const {
    int64_t longest = kBlock;
    if (queries.ragged() || keys.ragged()) {
      for (int64_t b = 0; b < shape_.B; ++b) longest = std::max(longest, chunk(b));
    } else if (shape_.B > 0) {
      longest = chunk(0);
    }
    return longest;
  }
  Side with_angles(Side side, int64_t b) const {
    side.cos = angles_.cos(b);
    side.sin = angles_.sin(b);
    return side;
  }

  Results results_;
  AttentionShape shape_;
  AttentionOptions options_;
  const Execution& execution_;
  const Kernels<T>& kernels_;
  Angles angles_;
  Weights weights_;
  const float* decay_;
  Fading fading_;
  bool streams_;
};

extern template class Call<float>;
extern template class Call<bfloat16>;

}  // namespace cosformer::cpu
