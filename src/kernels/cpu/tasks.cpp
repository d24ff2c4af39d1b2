#include "kernels/cpu/tasks.h"

#include <algorithm>
#include <new>

#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

constexpr std::align_val_t kCacheLine{64};

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
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

int64_t column_parts(int64_t units, int64_t U, int width) {
  const int64_t most = std::max<int64_t>(1, ceil_div(U, kColumnAlign));
  int64_t best = 1;
  double best_time = 1e300;
  for (int64_t parts = 1; parts <= most; ++parts) {
    if (ceil_div(most, ceil_div(most, parts)) != parts) continue;  // the same ranges as fewer parts
    // Each part repeats the packing and the scores, about a tenth of a sweep's work.
    const double part_time =
        0.1 + 0.9 * static_cast<double>(ceil_div(most, parts)) / static_cast<double>(most);
    const double time = static_cast<double>(ceil_div(units * parts, width)) * part_time;
    if (time < 0.95 * best_time) {
      best_time = time;
      best = parts;
    }
  }
  return best;
}

int64_t sweeps_together(int64_t units, int64_t parts, int width, int64_t state) {
  constexpr int64_t kCachedFloats = 128 * 1024;  // half a megabyte, of the megabyte or two that cores have
  const int64_t cached = std::clamp<int64_t>(kCachedFloats / std::max<int64_t>(state, 1), 1, kMostSweeps);
  const int64_t share = std::max<int64_t>(1, units * parts / width);
  int64_t group = std::min({cached, share, std::max<int64_t>(units, 1)});
  while (group > 1 && share % group != 0) {
    --group;  // groups of one size, so that no thread waits for a larger one
  }
  return group;
}

Columns columns_of(int64_t U, int64_t part, int64_t parts) {
  const int64_t each = ceil_div(ceil_div(U, kColumnAlign), parts) * kColumnAlign;
  const int64_t begin = std::min(U, part * each);
  return {begin, std::min(U, begin + each)};
}

}  // namespace cosformer::cpu
