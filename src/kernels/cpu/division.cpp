#include "kernels/cpu/division.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <vector>

#include "kernels/cpu/sweep.h"

namespace cosformer::cpu {
namespace {

constexpr double kBetter = 0.95;  // what is more cut must be that much faster

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t most_parts(int64_t columns) {
  return std::max<int64_t>(1, ceil_div(columns, kColumnAlign));
}

/// Whether that many parts are other ranges than fewer of them.
bool distinct(int64_t columns, int64_t parts) {
  const int64_t most = most_parts(columns);
  return parts <= most && ceil_div(most, ceil_div(most, parts)) == parts;
}

/// Of a part, in parts of the whole; `repeated` of the work is done in each.
double part_time(int64_t columns, int64_t parts, double repeated) {
  const int64_t most = most_parts(columns);
  return repeated + (1 - repeated) * static_cast<double>(ceil_div(most, parts)) / static_cast<double>(most);
}

struct Tasks {
  int64_t count;
  double time;
};

/// When the last of the tasks ends, the longest taken first by whichever thread is free.
double time_of(std::vector<Tasks> tasks, int64_t width) {
  std::sort(tasks.begin(), tasks.end(), [](const Tasks& a, const Tasks& b) { return a.time > b.time; });
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  for (int64_t i = 0; i < width; ++i) free.push(0);
  double last = 0;
  for (const Tasks& t : tasks) {
    for (int64_t i = 0; i < t.count; ++i) {
      const double end = free.top() + t.time;
      free.pop();
      free.push(end);
      last = std::max(last, end);
    }
  }
  return last;
}

}  // namespace

int64_t column_parts(int64_t units, int64_t U, int width) {
  int64_t best = 1;
  double best_time = 1e300;
  for (int64_t parts = 1; parts <= most_parts(U); ++parts) {
    if (!distinct(U, parts)) continue;
    // Each part repeats the packing and the scores, about a tenth of a sweep's work.
    const double time = static_cast<double>(ceil_div(units * parts, width)) * part_time(U, parts, 0.1);
    if (time < kBetter * best_time) {
      best_time = time;
      best = parts;
    }
  }
  return best;
}

Division divide(int64_t units, int64_t out, int64_t twin, int64_t beside, bool quadratic, int width) {
  Division best;
  best.parts_beside = column_parts(units, beside, width);
  constexpr int64_t kMostUnits = 16;
  const int64_t common = std::gcd(units, static_cast<int64_t>(width));
  if (common == 0 || units >= width || units / common > kMostUnits) return best;
  const int64_t n = units / common, threads = width / common;
  // In products of a row and a state: one reads it, one lets it grow. A quadratic sweep has the scores and
  // the pairs instead, and every part repeats the scores.
  const double sweep = 2, both = quadratic ? 4 : 3, repeated = quadratic ? 0.5 : 0.1;
  const auto time = [&](int64_t columns, int64_t parts) {
    return sweep * part_time(columns, parts, repeated);
  };
  double best_time = time_of({{n, both}, {n * best.parts_beside, time(beside, best.parts_beside)}}, threads);
  const int64_t most = std::max({most_parts(out), most_parts(twin), most_parts(beside)});
  for (int64_t parts = 1; parts <= most; ++parts) {
    Division d;
    for (auto [columns, parts_of] :
         {std::pair{out, &d.out_parts}, {twin, &d.twin_parts}, {beside, &d.parts_beside}}) {
      *parts_of = std::min(parts, most_parts(columns));
      while (!distinct(columns, *parts_of)) --*parts_of;
    }
    const Tasks outs{n * d.out_parts, time(out, d.out_parts)},
        twins{n * d.twin_parts, time(twin, d.twin_parts)},
        others{n * d.parts_beside, time(beside, d.parts_beside)};
    constexpr int kShares = 6;
    for (int share = 0; share < (quadratic ? 1 : kShares); ++share) {
      d.together = static_cast<double>(share) / kShares;
      const double apart = 1 - d.together;
      const double total =
          share == 0
              ? time_of({outs, twins, others}, threads)
              : time_of({{n, both * d.together}, others}, threads) +
                    time_of({{outs.count, outs.time * apart}, {twins.count, twins.time * apart}}, threads);
      if (total < kBetter * best_time) {
        best_time = total;
        best = d;
      }
    }
  }
  return best;
}

Columns columns_of(int64_t U, int64_t part, int64_t parts) {
  const int64_t each = ceil_div(ceil_div(U, kColumnAlign), parts) * kColumnAlign;
  const int64_t begin = std::min(U, part * each);
  return {begin, std::min(U, begin + each)};
}

}  // namespace cosformer::cpu
