#pragma once

#include "kernels/cuda/scan_args.h"
#include "kernels/cuda/scan_layout.h"
#include "kernels/cuda/tile_product.h"

namespace cosformer::cuda {

/// Numbers of a chunk's tokens, [C] each.
struct Factors {
  float *reader_cos, *reader_sin, *reader_scale, *reader_add;
  float *source_cos, *source_sin, *source_scale, *source_add;
};

template <class T, int kX, Part kPart>
class Scan {
 public:
  using Args = ScanArgs<T>;
  using L = ScanLayout<T, kX>;
  static constexpr int kBytes = L::kBytes;

  COSFORMER_DEVICE static void run(const Args& args) {
    Scan scan(args);
    scan.sweep();
  }

 private:
  static constexpr int X = L::X, Y = L::Y, C = L::C;
  static constexpr bool kReads = kPart != Part::sum, kSums = kPart != Part::read;

  COSFORMER_DEVICE explicit Scan(const Args& args);
  COSFORMER_DEVICE void sweep();

  COSFORMER_DEVICE Factors factors(int stage) const;
  COSFORMER_DEVICE void fetch(int64_t chunk, int source, int stage);
  COSFORMER_DEVICE void fetch_factors(int64_t first, int source_head, int stage);

  COSFORMER_DEVICE void load_state(const States& from, int64_t index);
  COSFORMER_DEVICE void store_state(const States& to, int64_t index) const;
  COSFORMER_DEVICE void clear_local();
  COSFORMER_DEVICE void end_segment(float faded);

  COSFORMER_DEVICE void put_state(float faded);
  COSFORMER_DEVICE bool put_waves(const Factors& f);
  COSFORMER_DEVICE void add_along(const Factors& f, float fade);
  COSFORMER_DEVICE void add_state(float fade);

  COSFORMER_DEVICE void read_state(const Factors& f);
  COSFORMER_DEVICE void put_pairs(const Factors& f);
  COSFORMER_DEVICE void add_values(float (&out)[L::M][L::kN][4]) const;
  COSFORMER_DEVICE void add_values_apart();
  COSFORMER_DEVICE void find_denominators(const Factors& f);
  COSFORMER_DEVICE void put_rows(const Factors& f);

  /// Whether a reader sees a source of its own chunk.
  COSFORMER_DEVICE bool sees(int reader, int source) const {
    return args_.reverse ? source >= reader : source <= reader;
  }
  COSFORMER_DEVICE float fading(int64_t tokens) const {
    return decay_ == 0 ? 1.0F : exponential(-static_cast<double>(decay_) * static_cast<double>(tokens));
  }
  // A state's warps have a wave and X / 4 rows each.
  COSFORMER_DEVICE int wave() const { return thread() / 32 % 2; }
  COSFORMER_DEVICE int state_row(int m, int i) const { return thread() / 64 * (X / 4) + fragment_row(m, i); }
  // A vector's elements have some neighbouring lanes each.
  COSFORMER_DEVICE int along_parts() const { return kThreads / (args_.along == Along::b ? X : Y); }
  COSFORMER_DEVICE int along_element() const { return thread() / along_parts(); }
  COSFORMER_DEVICE int along_part() const { return thread() % along_parts(); }
  // An output's warps have 16 M rows and 8 N columns each.
  COSFORMER_DEVICE int warp_row() const { return thread() / 32 % L::kRowWarps * (16 * L::M); }
  COSFORMER_DEVICE int column_warp() const { return thread() / 32 / L::kRowWarps; }
  /// Where column y of a wave stands in state_: the columns of one warp's waves side by side.
  COSFORMER_DEVICE static int state_column(int n, int y) {
    constexpr int kColumns = 8 * L::kN;
    return y / kColumns * 2 * kColumns + n * kColumns + y % kColumns;
  }

  const Args& args_;
  int64_t b_ = 0, count_ = 0, first_position_ = 0, first_segment_ = 0, index_ = 0;
  int head_ = 0, column_ = 0;
  float decay_ = 0;

  char* memory_;
  T *state_, *pairs_, *waves_;                    ///< [X, 2 Y], [C, C], [C, 2 Y]; rows leave through the last
  float *table_, *vector_, *row_sums_, *scales_;  ///< [C], [2, X], [column warps, C], [C]

  // The chunk at hand.
  T *a_ = nullptr, *b_tile_ = nullptr, *c_ = nullptr;  ///< [C, X], [C, X], [C, Y]
  int64_t first_ = 0;
  int valid_ = 0;

  bool started_ = false;  ///< whether the state may be other than 0
  float local_[L::kStateM][L::kStateN][4], before_[L::kStateM][L::kStateN][4];
  float vector_local_[2], vector_before_[2];
  float out_[L::M][L::kN][4];
};

}  // namespace cosformer::cuda
