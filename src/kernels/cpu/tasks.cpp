#include "kernels/cpu/tasks.h"

#include <algorithm>
#include <new>

namespace cosformer::cpu {
namespace {

constexpr std::align_val_t kCacheLine{64};

/// Keys whose partial state is summed on its own. A fixed number, so that the order of summation depends on
/// the number of keys alone; states of segments then cost at most K N / (2 kSegment) of the keys' memory.
constexpr int64_t kSegment = 2048;
/// Queries of one task.
constexpr int64_t kStretch = 512;

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// The part of a sweep that begins at key `first`.
Sweep from_key(Sweep s, int64_t first, int64_t count) {
  s.keys = count;
  for (Rows* rows : {&s.y, &s.u}) {
    rows->data += first * rows->stride;
    if (rows->scale) rows->scale += first * rows->step;
    if (rows->extra) rows->extra += first * rows->extra_step;
  }
  if (s.y_cos) s.y_cos += first * s.angle_step;
  if (s.y_sin) s.y_sin += first * s.angle_step;
  return s;
}

/// The part of a sweep that begins at query `first`.
Sweep from_query(Sweep s, int64_t first, int64_t count) {
  s.queries = count;
  s.x.data += first * s.x.stride;
  if (s.x.scale) s.x.scale += first * s.x.step;
  if (s.x.extra) s.x.extra += first * s.x.extra_step;
  if (s.x_cos) s.x_cos += first * s.angle_step;
  if (s.x_sin) s.x_sin += first * s.angle_step;
  if (s.toeplitz) s.toeplitz += first;
  s.out += first * s.out_stride;
  if (s.denominator) s.denominator += first * s.denominator_stride;
  if (s.gate) s.gate += first * s.gate_stride;
  return s;
}

}  // namespace

void Buffer::Free::operator()(float* p) const {
  ::operator delete[](p, kCacheLine);
}

Buffer::Buffer(int64_t floats) : size_(floats) {
  const auto bytes = static_cast<size_t>(std::max<int64_t>(floats, 1)) * sizeof(float);
  data_.reset(static_cast<float*>(::operator new[](bytes, kCacheLine)));
}

float* thread_scratch(int64_t floats) {
  thread_local Buffer buffer;
  if (buffer.size() < floats) {
    buffer = Buffer();  // give the old one back first
    buffer = Buffer(floats);
  }
  return buffer.data();
}

int64_t column_parts(int64_t heads, int64_t U, int width) {
  const int64_t most = std::max<int64_t>(1, ceil_div(U, kColumnAlign));
  int64_t best = 1;
  double best_time = 1e300;
  for (int64_t parts = 1; parts <= most; ++parts) {
    if (ceil_div(most, ceil_div(most, parts)) != parts) continue;  // the same ranges as fewer parts
    // Each part repeats the packing and the scores, about a tenth of a head's work.
    const double part_time =
        0.1 + 0.9 * static_cast<double>(ceil_div(most, parts)) / static_cast<double>(most);
    const double time = static_cast<double>(ceil_div(heads * parts, width)) * part_time;
    if (time < 0.95 * best_time) {
      best_time = time;
      best = parts;
    }
  }
  return best;
}

int64_t heads_together(int64_t heads, int64_t parts, int width, int64_t state) {
  constexpr int64_t kCachedFloats = 128 * 1024;  // half a megabyte, of the megabyte or two that cores have
  const int64_t cached = std::clamp<int64_t>(kCachedFloats / std::max<int64_t>(state, 1), 1, kMostHeads);
  const int64_t share = std::max<int64_t>(1, heads * parts / width);
  int64_t group = std::min({cached, share, heads});
  while (group > 1 && share % group != 0)
    --group;  // groups of one size, so that no thread waits for a larger one
  return group;
}

void set_columns(Sweep& sweep, int64_t U, int64_t part, int64_t parts) {
  const int64_t each = ceil_div(ceil_div(U, kColumnAlign), parts) * kColumnAlign;
  sweep.u_begin = std::min(U, part * each);
  sweep.u_end = std::min(U, sweep.u_begin + each);
}

void reverse(Rows& rows, int64_t count) {
  if (count == 0) return;
  rows.data += (count - 1) * rows.stride;
  rows.stride = -rows.stride;
  if (rows.scale) rows.scale += (count - 1) * rows.step;
  if (rows.extra) rows.extra += (count - 1) * rows.extra_step;
  rows.step = -rows.step;
  rows.extra_step = -rows.extra_step;
}

void run_non_causal(const Level& level, const NonCausal& run, const Execution& execution,
                    const std::function<Sweep(int64_t, int64_t)>& make) {
  const int64_t columns = run.heads * run.parts;
  const int64_t stretches = ceil_div(run.queries, kStretch);
  if (columns == 0 || run.queries == 0) return;
  if (run.quadratic) {
    execution.parallel(columns * stretches, [&](int64_t task) {
      const int64_t first = task % stretches * kStretch, c = task / stretches;
      Sweep s =
          from_query(make(c / run.parts, c % run.parts), first, std::min(kStretch, run.queries - first));
      s.chunk = std::max<int64_t>(kBlock, ceil_div(run.keys, kBlock) * kBlock);
      level.dense(s, thread_scratch(level.scratch_floats(s, 1)));
    });
    return;
  }
  const int64_t segments = std::max<int64_t>(1, ceil_div(run.keys, kSegment));
  const int64_t state_floats = ceil_div(level.packed_state_floats(make(0, 0)), 16) * 16;
  const int64_t z_floats = run.with_z ? ceil_div(run.N * run.K, 16) * 16 : 0;
  const int64_t floats = state_floats + z_floats;
  Buffer states(columns * segments * floats);
  execution.parallel(columns * segments, [&](int64_t task) {
    const int64_t first = task % segments * kSegment, c = task / segments;
    Sweep s = from_key(make(c / run.parts, c % run.parts), first, std::min(kSegment, run.keys - first));
    float* state = states.data() + task * floats;
    s.z_last = run.with_z ? state + state_floats : nullptr;
    level.accumulate(s, state, thread_scratch(level.scratch_floats(s, 1)));
  });
  if (segments > 1) {
    execution.parallel(columns, [&](int64_t c) {
      float* sum = states.data() + c * segments * floats;
      for (int64_t segment = 1; segment < segments; ++segment) {
        const float* other = sum + segment * floats;
        for (int64_t i = 0; i < floats; ++i) sum[i] += other[i];
      }
    });
  }
  execution.parallel(columns * stretches, [&](int64_t task) {
    const int64_t first = task % stretches * kStretch, c = task / stretches;
    Sweep s = from_query(make(c / run.parts, c % run.parts), first, std::min(kStretch, run.queries - first));
    const float* state = states.data() + c * segments * floats;
    s.z_first = run.with_z ? state + state_floats : nullptr;
    level.read(s, state, thread_scratch(level.scratch_floats(s, 1)));
  });
}

}  // namespace cosformer::cpu
