#pragma once

#include "kernels/cuda/factor_range.h"
#include "kernels/cuda/walk.h"
#include "kernels/cuda/warpgroup_args.h"

namespace cosformer::cuda {

/// Chunks multiplied four warps at a time, on Hopper. No product depends on a condition, for which the
/// compiler would have them wait for each other: where there is no state yet it is 0, and products that are
/// not needed are made. Each of the block's two warpgroups works out all weights of the chunk, which stay in
/// registers as a factor, and half of the columns; of the state it has 64 rows, or a wave.
///
///   pairs [C, C] = a b^T;   read [C, 32 cos | 32 sin] = a S      while these run: sums with the vector
///   out [C, 32] = read, by waves, + pairs c;   local += b^T waves   while this runs: rows leave
///
/// A read has the middle product alone, of a state that becomes a factor once.
template <class T, int kX, Part kPart>
class WarpgroupScan : public Walk<WarpgroupScan<T, kX, kPart>, WarpgroupLayout<T, kX, kPart>, kPart> {
  using Base = Walk<WarpgroupScan<T, kX, kPart>, WarpgroupLayout<T, kX, kPart>, kPart>;
  friend Base;
  using Base::args_, Base::b_, Base::C, Base::decay_, Base::column_, Base::first_, Base::head_,
      Base::source_head_, Base::kReads, Base::kSums, Base::local_, Base::memory_, Base::sees,
      Base::stage_rows, Base::started_, Base::valid_, Base::own_, Base::X, Base::Y;
  using typename Base::Chunk, typename Base::Item;

 public:
  using typename Base::L;
  using Args = WarpgroupArgs<T, kPart>;

  COSFORMER_DEVICE static void run(const Args& args, int64_t index) {
#if defined(COSFORMER_EMULATE_CUDA) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
    Base::run(args, index);
#else
    (void)args, (void)index;
    __trap();  // never started where this is the code
#endif
  }
  COSFORMER_DEVICE WarpgroupScan(const Args& args, int64_t index);

 private:
  static constexpr int kPairsN = C / 8, kOutN = Y / 16;

  struct alignas(16) Pairs {
    uint32_t at[4];
  };
  struct alignas(16) Four {
    float at[4];
  };

  COSFORMER_DEVICE void fetch_rows(const Item& item, int valid);
  COSFORMER_DEVICE bool are_box(int first, int valid) const;
  COSFORMER_DEVICE bool brings_gate(const Item& item) const;
  COSFORMER_DEVICE void fetch_boxes(const Item& item);
  COSFORMER_DEVICE void gather_rows(const Item& item, int valid);
  COSFORMER_DEVICE void hand_over();
  COSFORMER_DEVICE void arrive(int stage);
  COSFORMER_DEVICE void compute(const Chunk& chunk, const Factors& f);
  COSFORMER_DEVICE void end() {
    if (kPart == Part::sweep && is_fetcher()) wait_for_panels();
  }

  COSFORMER_DEVICE void put_state(float faded);
  COSFORMER_DEVICE void put_kept_state();
  COSFORMER_DEVICE static void raise(uint32_t (&pairs)[4], float floor);
  COSFORMER_DEVICE void put_floors(char* rows, float floor);
  COSFORMER_DEVICE bool put_waves(const Factors& f);
  COSFORMER_DEVICE void fit_factors(const Chunk& chunk, const Factors& f);
  COSFORMER_DEVICE void load_features(uint32_t (&features)[X / 16][4]) const;
  COSFORMER_DEVICE void begin_pairs(const uint32_t (&features)[X / 16][4], float (&pairs)[kPairsN][4]);
  COSFORMER_DEVICE void begin_read(const uint32_t (&features)[X / 16][4], float (&read)[2 * kOutN][4]);
  COSFORMER_DEVICE void begin_read(float (&read)[2 * kOutN][4]);
  COSFORMER_DEVICE void begin_values(const uint32_t (&pairs)[4][4], float (&out)[kOutN][4]);
  COSFORMER_DEVICE void begin_state();
  COSFORMER_DEVICE void read_chunk(bool first, const Factors& f);
  COSFORMER_DEVICE void put_features(const Factors& f);
  COSFORMER_DEVICE void join_waves(const float (&read)[2 * kOutN][4], const Factors& f);
  COSFORMER_DEVICE void store_rows();
  COSFORMER_DEVICE void weigh(float (&pairs)[kPairsN][4], const Factors& f, uint32_t (&weights)[4][4]);
  COSFORMER_DEVICE void fit_row(const float (&pairs)[kPairsN][4], int half, uint32_t (&weights)[4][4]);
  COSFORMER_DEVICE void scale_rows(float Scale::*by);
  COSFORMER_DEVICE void add_values_apart(const uint32_t (&weights)[4][4]);
  COSFORMER_DEVICE void put_split_vector(float faded);
  COSFORMER_DEVICE void begin_split(const uint32_t (&features)[X / 16][4], float (&split)[1][4]) const;
  COSFORMER_DEVICE void join_split(const float (&split)[4], const Factors& f);
  COSFORMER_DEVICE void find_sums(const Factors& f);
  COSFORMER_DEVICE void sum_rows();
  COSFORMER_DEVICE void put_rows(const Factors& f);
  COSFORMER_DEVICE void add_vector(const Factors& f, int half);
  COSFORMER_DEVICE void close_gates(uint32_t (&outputs)[kOutN][2]);

  /// The thread that asks for boxes: of a warp without other duties.
  COSFORMER_DEVICE static bool is_fetcher() {
    return thread() == kThreads - 32;
  }
  COSFORMER_DEVICE static int warpgroup() {
    return thread() / 128;
  }
  COSFORMER_DEVICE static int row(int i) {
    return thread() / 32 % 4 * 16 + fragment_row(0, i);
  }
  COSFORMER_DEVICE static int state_wave(int m) {
    return X == 128 ? m : warpgroup();
  }
  // Sums, as products have them; of a read, neighbouring lanes have what lies side by side in memory.
  COSFORMER_DEVICE int state_x(int, int n, int i) const {
    if constexpr (kSums) return (X == 128 ? 64 * warpgroup() : 0) + row(i);
    const int pair = 2 * n + i / 2;
    return along_x() ? wave_warp() % (X / 32) * 32 + lane() : pair * (X / 16) + wave_warp();
  }
  COSFORMER_DEVICE int state_y(int n, int i) const {
    if constexpr (kSums) return fragment_column(n, i);
    const int pair = 2 * n + i / 2;
    return 2 * (along_x() ? 2 * pair + wave_warp() / (X / 32) : lane()) + i % 2;
  }
  COSFORMER_DEVICE bool along_x() const {
    return args_.initial.x_stride == 1;
  }
  /// Of the X / 16 warps that have a wave.
  COSFORMER_DEVICE static int wave_warp() {
    return thread() / 32 % (X / 16);
  }

  // a and b: panels of 64 columns; c: of 32.
  COSFORMER_DEVICE static T* wide_at(char* rows, unsigned r, unsigned x) {
    return reinterpret_cast<T*>(rows + x / 64 * L::kPanel + panel_place<Panel::wide>(r, x % 64 * 2));
  }
  COSFORMER_DEVICE static T* value_at(char* rows, unsigned r, unsigned y) {
    return reinterpret_cast<T*>(rows + y / 32 * L::kHalfPanel + panel_place<Panel::narrow>(r, y % 32 * 2));
  }
  COSFORMER_DEVICE float& before(int m, int n, int i) {
    if constexpr (kPart == Part::read) return kept_[m][n][i];
    return before(m, n).at[i];
  }
  COSFORMER_DEVICE float before(int m, int n, int i) const {
    return before(m, n).at[i];
  }
  COSFORMER_DEVICE Four& before(int m, int n) const {
    return before_[(m * L::kStateN + n) * kThreads + thread()];
  }
  COSFORMER_DEVICE void b_pair(int r, int x, float (&pair)[2]) const {
    get_pair(wide_at(b_rows_, r, x), pair);
  }
  COSFORMER_DEVICE void c_pair(int r, int y, float (&pair)[2]) const {
    get_pair(value_at(c_rows_, r, y), pair);
  }
  COSFORMER_DEVICE static void get_pair(const T* from, float (&pair)[2]) {
    const auto both = *reinterpret_cast<const uint32_t*>(from);
    for (int i = 0; i < 2; ++i) pair[i] = half_of<T>(both, i);
  }
  /// How much later than rows a or b those from depth x on begin, for panel_at().
  COSFORMER_DEVICE static uint64_t along_rows(int x) {
    return (x / 64 * L::kPanel + x % 64 * 2) / 16;
  }

  const Args& maps_;
  uint64_t* barriers_;     ///< [stages], count what comes by boxes
  unsigned parities_ = 0;  ///< a bit a stage: of the phase that is waited for next
  float* sums_;            ///< [C]
  char *state_, *waves_;   ///< panels [X, 32 cos | 32 sin], twice; [C, 64] of each wave
  Four* before_;           ///< [state numbers of a thread, threads]; of a read, kept_ until it is a factor
  char *a_rows_ = nullptr, *b_rows_ = nullptr, *c_rows_ = nullptr, *gate_rows_ = nullptr,
       *out_rows_ = nullptr;
  char* split_vector_;  ///< panels [8, 64]: three parts of each wave, whose sum is the vector
  float kept_[L::kStateM][L::kStateN][4];
  float part_[2][X / 8] = {};  ///< of a read's vector: the columns of a that this thread multiplies
  float out_[kOutN][4];
  float row_sums_[2] = {};                           ///< of weights, of this thread's two rows
  Scale state_scale_, waves_scale_, row_scales_[2];  ///< the last: of the weights of those rows
};

template <class T, int kX, Part kPart>
COSFORMER_DEVICE WarpgroupScan<T, kX, kPart>::WarpgroupScan(const Args& args, int64_t index)
    : Base(args, index), maps_(args) {
  sums_ = reinterpret_cast<float*>(&own_ + 1);
  barriers_ = reinterpret_cast<uint64_t*>(sums_ + C);
  state_ = memory_ + L::kStages * L::kStageBytes + L::kFloatBytes;
  waves_ = state_ + L::kStateBytes;
  before_ = reinterpret_cast<Four*>(waves_ + L::kWaveBytes);
  out_rows_ = waves_ + L::kWaveBytes + L::kBeforeBytes;
  split_vector_ = out_rows_ + L::kOutBytes;
  for (int stage = 0; is_fetcher() && stage < L::kStages; ++stage) init_barrier(barriers_ + stage);
}

template <class T, int kX, Part kPart>
COSFORMER_DEVICE void WarpgroupScan<T, kX, kPart>::compute(const Chunk& chunk, const Factors& f) {
  if constexpr (kPart == Part::read) return read_chunk(chunk.new_state, f);
  state_scale_ = waves_scale_ = {};
  if (kReads && chunk.first_source) {
    put_state(chunk.faded);
    if (L::kSplitsVector && args_.along == Along::b) {
      put_split_vector(chunk.faded);
    } else {
      this->put_vector(chunk.faded);
    }
  }
  put_floors(b_rows_, args_.floor_b);
  const bool infinite = put_waves(f);
  publish();
  bool bad = any(infinite || state_scale_.overflows() || waves_scale_.overflows());
  if (kNarrow<T> && bad) {
    fit_factors(chunk, f);
    publish();
    bad = any(infinite);
  }

  uint32_t weights[4][4];
  if constexpr (kReads) {
    float pairs[kPairsN][4], read[2 * kOutN][4];
    uint32_t features[X / 16][4];
    load_features(features);
    begin_products();
    begin_pairs(features, pairs);
    end_products();
    begin_read(features, read);
    float split[1][4];
    if constexpr (L::kSplitsVector) begin_split(features, split);
    end_products();
    if constexpr (!L::kSplitsVector) find_sums(f);
    this->add_along(f, chunk.fade);
    wait_for_products<1>();
    weigh(pairs, f, weights);
    wait_for_products<0>();
    if (chunk.first_source) join_waves(read, f);
    if constexpr (L::kSplitsVector) join_split(split[0], f);
    sum_rows();
    if (kNarrow<T>) scale_rows(&Scale::down);
  } else {
    this->add_along(f, chunk.fade);
  }

  const float kept = kNarrow<T> ? chunk.fade * waves_scale_.down : chunk.fade;
  if (decay_ != 0 || (kNarrow<T> && kept != 1)) this->fade_local(kept);
  if constexpr (kReads) {
    if (bad) add_values_apart(weights);  // leaves c all 0
  }
  for (auto& sums : local_) settle(sums);
  begin_products();
  if constexpr (kReads) {
    begin_values(weights, out_);
    end_products();
  }
  begin_state();
  end_products();
  if constexpr (kReads) {
    wait_for_products<1>();
    if (kNarrow<T>) scale_rows(&Scale::up);
    if (chunk.last_source) {
      if (is_fetcher()) wait_for_panels();
      sync();
      put_rows(f);
      publish();
      sync();
      store_rows();
    }
  }
  wait_for_products<0>();
  if (kNarrow<T> && waves_scale_.up != 1) this->fade_local(waves_scale_.up);
}

}  // namespace cosformer::cuda

#include "kernels/cuda/warpgroup_fetch.h"
#include "kernels/cuda/warpgroup_rows.h"
#include "kernels/cuda/warpgroup_state.h"
#include "kernels/cuda/warpgroup_vector.h"
