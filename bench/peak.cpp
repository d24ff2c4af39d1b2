#include "peak.h"

#include <chrono>
#include <string>

#include "cosformer/parallel.h"
#include "peak_level.h"

namespace cosformer::bench {
namespace {

constexpr int64_t kProbeFloats = 512LL * 1000 * 1000 / 4;
constexpr int64_t kStretch = 256;

const PeakLevel& level(Isa isa) {
  if (!available(isa))
    throw DeviceError(std::string("peak: this machine lacks the instruction set ") + name(isa));
#ifdef COSFORMER_X86
  if (isa >= Isa::avx512) return peak_level_avx512();
  if (isa == Isa::avx2) return peak_level_avx2();
#endif
  return peak_level_generic();
}

using Arithmetic = double (*)(int64_t iterations);

Arithmetic arithmetic(Isa isa, Operand operand) {
  const PeakLevel& loops = level(isa);
#ifdef COSFORMER_X86
  if (operand == Operand::bfloat16 && isa == Isa::amx) return tile_products;
  if (operand == Operand::bfloat16 && isa == Isa::avx512_bf16) return dot_products;
#endif
  return loops.arithmetic;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double peak_arithmetic(Isa isa, Operand operand, int threads) {
  const Arithmetic loop = arithmetic(isa, operand);
  constexpr int64_t kIterations = 1'000'000;  // 16 M cycles
  std::vector<double> operations(static_cast<std::size_t>(threads));
  const auto start = std::chrono::steady_clock::now();
  parallel_for(threads, [&](int64_t i) { operations[static_cast<std::size_t>(i)] = loop(kIterations); });
  const double seconds = seconds_since(start);
  double total = 0;
  for (const double n : operations) total += n;
  return total / seconds;
}

BandwidthProbe::BandwidthProbe() : data_(kProbeFloats, 1.0F) {}

double BandwidthProbe::measure(int threads) const {
  const PeakLevel& loops = level(available_isas().back());
  const int64_t share = kProbeFloats / threads / kStretch * kStretch;
  std::vector<float> sums(static_cast<std::size_t>(threads));
  const auto start = std::chrono::steady_clock::now();
  parallel_for(threads, [&](int64_t i) {
    sums[static_cast<std::size_t>(i)] = loops.read(data_.data() + i * share, share);
  });
  const double seconds = seconds_since(start);
  double total = 0;
  for (const float sum : sums) total += static_cast<double>(sum);
  // The sums are used, so no read can be left out.
  return total > 0 ? static_cast<double>(share * threads) * sizeof(float) / seconds : 0;
}

}  // namespace cosformer::bench
