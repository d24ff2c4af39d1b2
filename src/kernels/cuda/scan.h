#pragma once

#include "kernels/cuda/factor_range.h"
#include "kernels/cuda/scan_layout.h"
#include "kernels/cuda/walk.h"

namespace cosformer::cuda {

/// Chunks multiplied a warp at a time (tile_product.h), on every GPU and for every T. P: what numbers are in
/// products, T or, where float may be rounded to it, Tf32.
template <class T, int kX, Part kPart, class P = T>
class Scan : public Walk<Scan<T, kX, kPart, P>, ScanLayout<T, kX>, kPart> {
  using Base = Walk<Scan<T, kX, kPart, P>, ScanLayout<T, kX>, kPart>;
  friend Base;
  using Base::args_, Base::b_, Base::C, Base::column_, Base::first_, Base::head_, Base::source_head_,
      Base::kReads, Base::kSums, Base::local_, Base::memory_, Base::sees, Base::stage_rows, Base::started_,
      Base::valid_, Base::own_, Base::X, Base::Y;
  using typename Base::Chunk, typename Base::Item;

 public:
  using typename Base::L;

  COSFORMER_DEVICE Scan(const ScanArgs<T>& args, int64_t index);

 private:
  COSFORMER_DEVICE void fetch_rows(const Item& item, int valid);
  COSFORMER_DEVICE void hand_over() { wait_for_copies(); }
  COSFORMER_DEVICE void arrive(int stage);
  COSFORMER_DEVICE void compute(const Chunk& chunk, const Factors& f);
  COSFORMER_DEVICE void end() {}

  COSFORMER_DEVICE void put_state(float faded);
  COSFORMER_DEVICE bool put_waves(const Factors& f);
  COSFORMER_DEVICE void fit_factors(const Chunk& chunk, const Factors& f);
  COSFORMER_DEVICE void add_state(float fade);

  COSFORMER_DEVICE void read_state(const Factors& f);
  COSFORMER_DEVICE bool put_pairs(const Factors& f, bool scaled);
  COSFORMER_DEVICE Scale row_scale(int r) const;
  COSFORMER_DEVICE void scale_rows(float Scale::*by);
  COSFORMER_DEVICE void add_values(float (&out)[L::M][L::kN][4]) const;
  COSFORMER_DEVICE void add_values_apart();
  COSFORMER_DEVICE void find_denominators(const Factors& f);
  COSFORMER_DEVICE void put_rows(const Factors& f);

  // A state's warps have a wave and X / 4 rows each.
  COSFORMER_DEVICE int wave() const { return thread() / 32 % 2; }
  COSFORMER_DEVICE int state_wave(int) const { return wave(); }
  COSFORMER_DEVICE int state_x(int m, int, int i) const {
    return thread() / 64 * (X / 4) + fragment_row(m, i);
  }
  COSFORMER_DEVICE int state_y(int n, int i) const { return fragment_column(n, i); }
  // An output's warps have 16 M rows and 8 N columns each.
  COSFORMER_DEVICE int warp_row() const { return thread() / 32 % L::kRowWarps * (16 * L::M); }
  COSFORMER_DEVICE int column_warp() const { return thread() / 32 / L::kRowWarps; }
  /// Where column y of a wave stands in state_: the columns of one warp's waves side by side.
  COSFORMER_DEVICE static int state_column(int n, int y) {
    constexpr int kColumns = 8 * L::kN;
    return y / kColumns * 2 * kColumns + n * kColumns + y % kColumns;
  }
  COSFORMER_DEVICE float& before(int m, int n, int i) { return before_[m][n][i]; }
  COSFORMER_DEVICE float before(int m, int n, int i) const { return before_[m][n][i]; }
  COSFORMER_DEVICE void b_pair(int r, int x, float (&pair)[2]) const {
    get_pair(b_tile_ + r * L::kWide + x, args_.floor_b, pair);
  }
  COSFORMER_DEVICE void c_pair(int r, int y, float (&pair)[2]) const {
    get_pair(c_ + r * L::kNarrow + y, args_.floor_c, pair);
  }
  /// The largest weights of a row, a column warp each: behind the weights, where there is room.
  COSFORMER_DEVICE float* row_largest(int r) const {
    return reinterpret_cast<float*>(pairs_ + r * L::kPairs + C);
  }

  T *state_, *pairs_, *waves_;  ///< [X, 2 Y], [C, C], [C, 2 Y]; rows leave through the last
  float *row_sums_, *scales_;   ///< [column warps, C], [C]
  T *a_ = nullptr, *b_tile_ = nullptr, *c_ = nullptr;  ///< [C, X], [C, X], [C, Y]
  float before_[L::kStateM][L::kStateN][4];
  float out_[L::M][L::kN][4];
  Scale state_scale_, waves_scale_;
};

template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE Scan<T, kX, kPart, P>::Scan(const ScanArgs<T>& args, int64_t index) : Base(args, index) {
  row_sums_ = reinterpret_cast<float*>(&own_ + 1);
  scales_ = row_sums_ + L::kColumnWarps * C;
  state_ = reinterpret_cast<T*>(scales_ + C);
  pairs_ = state_ + X * L::kWaves;
  waves_ = pairs_ + C * L::kPairs;
}

template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::fetch_rows(const Item& item, int valid) {
  const int first = item.chunk * C, source_head = source_head_ + item.source;
  auto* a = reinterpret_cast<T*>(stage_rows(item.stage));
  T* b = a + C * L::kWide;
  T* c = b + C * L::kWide;
  const auto wide = [](T* tile) { return [=](int r, int x) { return tile + r * L::kWide + x; }; };
  if (kReads) load_tile<C, X>(wide(a), args_.a, args_.tokens, b_, head_, first, valid, 0);
  if (kSums) {
    load_tile<C, X>(wide(b), args_.b, args_.tokens, b_, source_head, first, valid, 0);
    load_tile<C, Y>([=](int r, int y) { return c + r * L::kNarrow + y; }, args_.c, args_.tokens, b_,
                    source_head, first, valid, column_);
  }
}

template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::arrive(int stage) {
  a_ = reinterpret_cast<T*>(stage_rows(stage));
  b_tile_ = a_ + C * L::kWide;
  c_ = b_tile_ + C * L::kWide;
}

template <class T, int kX, Part kPart, class P>
COSFORMER_DEVICE void Scan<T, kX, kPart, P>::compute(const Chunk& chunk, const Factors& f) {
  bool infinite = false, scaled = false;
  if (kPart == Part::sweep && chunk.new_state) {
    state_scale_ = {};
    put_state(chunk.faded);
    this->put_vector(chunk.faded);
  }
  if constexpr (kSums) {
    waves_scale_ = {};
    infinite = put_waves(f);
    this->add_along(f, chunk.fade);
  }
  bool bad = any(infinite || state_scale_.overflows() || waves_scale_.overflows());
  if (kNarrow<T> && bad) {
    fit_factors(chunk, f);
    bad = any(infinite);
  }
  if (kReads && chunk.first_source) read_state(f);
  if constexpr (kReads && kSums) {
    if constexpr (kNarrow<T>) {
      while (any(put_pairs(f, scaled))) scaled = true;
      if (scaled) scale_rows(&Scale::down);
    } else {
      put_pairs(f, scaled);
      sync();
    }
    if (!bad) add_values(out_);
  }
  if (kSums && chunk.adds) add_state(chunk.fade);
  if constexpr (kReads && kSums) {
    if (bad) add_values_apart();
    if (scaled) scale_rows(&Scale::up);
  }
  if (!kReads || !chunk.last_source) return;
  if (args_.along == Along::b) find_denominators(f);
  sync();
  put_rows(f);
  sync();
  store_tile<Y>([this](int r, int y) { return waves_ + r * L::kWaves + y; }, args_.out, args_.gate,
                args_.tokens, b_, head_, first_, valid_, column_);
}

}  // namespace cosformer::cuda
