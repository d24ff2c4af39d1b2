// The public entry points in float: they check, choose the form, and describe each pass as sweeps (sweep.h).

#include "cosformer/attention.h"

#include <algorithm>
#include <array>
#include <string>

#include "kernels/cpu/angles.h"
#include "kernels/cpu/form.h"
#include "kernels/cpu/levels.h"
#include "kernels/cpu/tasks.h"

namespace cosformer {
namespace {

using cpu::Rows;
using cpu::Sweep;

/// Keys between two updates of the state; what is best on AVX2 and AVX-512 is in docs/performance.md.
constexpr int64_t kChunk = 16;

template <class T>
T* head_data(const View<T>& view, int64_t b, int64_t h) {
  return view.data + b * view.batch_stride + h * view.head_stride;
}

template <class T>
Rows rows_of(const View<T>& view, int64_t b, int64_t h, bool relu = false) {
  return {.data = head_data(view, b, h), .stride = view.time_stride, .relu = relu};
}

int64_t round_to_block(int64_t n) {
  return std::max<int64_t>(1, (n + cpu::kBlock - 1) / cpu::kBlock) * cpu::kBlock;
}

void check_float(const AttentionShape& shape, const AttentionOptions& options, const int64_t* position) {
  check(shape, options, position);
  if (shape.G != shape.H) {
    throw ShapeError("attention: G unlike H is not supported in float, got H = " + std::to_string(shape.H) +
                     ", G = " + std::to_string(shape.G));
  }
}

/// What all sweeps of one call share.
class Call {
 public:
  Call(const AttentionShape& shape, const AttentionOptions& options, const int64_t* position,
       const Execution& execution)
      : shape_(shape),
        options_(options),
        execution_(execution),
        level_(cpu::level(execution.isa ? *execution.isa : selected_isa())),
        quadratic_(execution.form == Form::quadratic ||
                   (execution.form == Form::automatic && cpu::quadratic_is_cheaper(shape, options))),
        angles_(options.horizon, position, shape.B, std::max(shape.Tq, shape.Tk)),
        toeplitz_(options.horizon,
                  (quadratic_ ? round_to_block(std::max(shape.Tq, shape.Tk)) : kChunk) + cpu::kBlock) {}

  bool relu() const { return options_.feature_map == FeatureMap::relu; }
  const cpu::Level& level() const { return level_; }
  int64_t heads() const { return shape_.B * shape_.H; }

  /// A sweep of sequence b with everything but rows and output.
  Sweep sweep(int64_t b, int64_t X, int64_t queries, int64_t keys) const {
    Sweep s;
    s.queries = queries;
    s.keys = keys;
    s.X = X;
    s.N = options_.states();
    s.chunk = quadratic_ ? round_to_block(keys) : kChunk;
    s.x_cos = s.y_cos = angles_.cos(b);
    s.x_sin = s.y_sin = angles_.sin(b);
    s.toeplitz = toeplitz_.center();
    s.eps = options_.eps;
    return s;
  }

  /// Runs make(head, part) for every head and column part of outputs of width U.
  void run(int64_t X, int64_t U, int64_t queries, int64_t keys, bool with_z,
           const std::function<Sweep(int64_t head, int64_t part, int64_t parts)>& make) const {
    const int64_t parts = cpu::column_parts(heads(), U, execution_.width);
    if (options_.causal) {
      const int64_t group = cpu::heads_together(heads(), parts, execution_.width, options_.states() * X * U);
      const int64_t groups = (heads() + group - 1) / group;
      execution_.parallel(groups * parts, [&](int64_t task) {
        std::array<Sweep, cpu::kMostHeads> sweeps;
        const int64_t first = task / parts * group, count = std::min(group, heads() - first);
        for (int64_t i = 0; i < count; ++i) sweeps[i] = make(first + i, task % parts, parts);
        level_.causal(sweeps.data(), count, cpu::thread_scratch(level_.scratch_floats(sweeps[0], count)));
      });
      return;
    }
    cpu::NonCausal all{.heads = heads(),
                       .parts = parts,
                       .queries = queries,
                       .keys = keys,
                       .K = X,
                       .N = options_.states(),
                       .quadratic = quadratic_,
                       .with_z = with_z};
    cpu::run_non_causal(level_, all, execution_,
                        [&](int64_t head, int64_t part) { return make(head, part, parts); });
  }

  /// run() with the order of rows reversed: causal sums then go over the rows that follow.
  void run_reversed(int64_t X, int64_t U, int64_t queries, int64_t keys,
                    const std::function<Sweep(int64_t head, int64_t part, int64_t parts)>& make) const {
    run(X, U, queries, keys, false, [&](int64_t head, int64_t part, int64_t parts) {
      Sweep s = make(head, part, parts);
      if (!options_.causal || queries == 0) return s;  // the order is no matter
      cpu::reverse(s.x, queries);
      cpu::reverse(s.y, keys);
      cpu::reverse(s.u, keys);
      for (const float** table : {&s.x_cos, &s.x_sin, &s.y_cos, &s.y_sin}) {
        if (*table) *table += queries - 1;
      }
      s.angle_step = -1;
      s.out += (queries - 1) * s.out_stride;
      s.out_stride = -s.out_stride;
      if (s.gate) s.gate += (queries - 1) * s.gate_stride;
      s.gate_stride = -s.gate_stride;
      return s;
    });
  }

 private:
  AttentionShape shape_;
  AttentionOptions options_;
  const Execution& execution_;
  const cpu::Level& level_;
  bool quadratic_;
  cpu::Angles angles_;
  cpu::Toeplitz toeplitz_;
};

/// S [N][K][V] and z [N][K] of one head, read along V.
cpu::StateView state_by_value(const float* S, int64_t state, int64_t K, int64_t V, int64_t N) {
  if (!S) return {};
  // Sweeps read `first` and write `last` alone; one type serves both.
  float* data = const_cast<float*>(S) + state * N * K * V;
  return {.data = data, .n_stride = K * V, .x_stride = V, .u_stride = 1};
}

/// The same, read along K, z being one row more.
cpu::StateView state_by_key(const float* S, const float* z, int64_t state, int64_t K, int64_t V, int64_t N) {
  if (!S) return {};
  cpu::StateView view = state_by_value(S, state, K, V, N);
  std::swap(view.x_stride, view.u_stride);
  view.extra = const_cast<float*>(z) + state * N * K;
  view.extra_n_stride = K;
  view.extra_u_stride = 1;
  return view;
}

/// Tokens one after another through the recurrence, S_out and z_out advanced in place.
void forward_recurrent(const AttentionForward<float>& args, const Execution& execution,
                       const cpu::Level& level) {
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  const int64_t N = args.options.states(), S_floats = N * K * V, z_floats = N * K;
  const cpu::Angles angles(args.options.horizon, args.position, B, Tq);
  cpu::Buffer own(args.S_out ? 0 : B * H * (S_floats + z_floats));
  float* S = args.S_out ? args.S_out : own.data();
  float* z = args.z_out ? args.z_out : own.data() + B * H * S_floats;
  const int64_t H_ = H, Tq_ = Tq, K_ = K, V_ = V;
  execution.parallel(B * H, [&](int64_t task) {
    const int64_t b = task / H_, h = task % H_;
    cpu::Step step{.K = K_,
                   .V = V_,
                   .N = N,
                   .relu = args.options.feature_map == FeatureMap::relu,
                   .eps = args.options.eps,
                   .S = S + task * S_floats,
                   .z = z + task * z_floats};
    for (int64_t i = 0; i < S_floats; ++i) step.S[i] = args.S ? args.S[task * S_floats + i] : 0;
    for (int64_t i = 0; i < z_floats; ++i) step.z[i] = args.z ? args.z[task * z_floats + i] : 0;
    for (int64_t t = 0; t < Tq_; ++t) {
      step.cos = angles.cos(b) ? angles.cos(b)[t] : 1.0F;
      step.sin = angles.sin(b) ? angles.sin(b)[t] : 0.0F;
      step.query = head_data(args.query, b, h) + t * args.query.time_stride;
      step.key = head_data(args.key, b, h) + t * args.key.time_stride;
      step.value = head_data(args.value, b, h) + t * args.value.time_stride;
      step.out = head_data(args.output, b, h) + t * args.output.time_stride;
      step.denominator = args.denominator ? args.denominator + (b * Tq_ + t) * H_ + h : nullptr;
      level.step(step);
    }
  });
}

}  // namespace

void attention_forward(const AttentionForward<float>& args, const Execution& execution) {
  check_float(args.shape, args.options, args.position);
  const int64_t B = args.shape.B, Tq = args.shape.Tq, Tk = args.shape.Tk, H = args.shape.H, K = args.shape.K,
                V = args.shape.V, N = args.options.states();
  if (execution.form == Form::recurrent || (execution.form == Form::automatic && args.S_out && Tq <= 2)) {
    if (!args.options.causal) throw ShapeError("attention: the recurrent form is causal");
    return forward_recurrent(args, execution, cpu::level(execution.isa ? *execution.isa : selected_isa()));
  }
  const Call call(args.shape, args.options, args.position, execution);
  if (B * H == 0) return;
  call.run(K, V, Tq, Tk, true, [&](int64_t head, int64_t part, int64_t parts) {
    const int64_t b = head / H, h = head % H;
    Sweep s = call.sweep(b, K, Tq, Tk);
    cpu::set_columns(s, V, part, parts);
    s.x = rows_of(args.query, b, h, call.relu());
    s.y = rows_of(args.key, b, h, call.relu());
    s.u = rows_of(args.value, b, h);
    s.out = head_data(args.output, b, h);
    s.out_stride = args.output.time_stride;
    s.normalize = true;
    if (args.denominator && part == 0) {
      s.denominator = args.denominator + b * Tq * H + h;
      s.denominator_stride = H;
    }
    s.first = state_by_value(args.S, head, K, V, N);
    s.last = state_by_value(args.S_out, head, K, V, N);
    if (args.S) s.z_first = args.z + head * N * K;
    if (args.S_out && part == 0) s.z_last = args.z_out + head * N * K;
    return s;
  });
}

void attention_backward(const AttentionBackward<float>& args, const Execution& execution) {
  check_float(args.shape, args.options, args.position);
  const int64_t B = args.shape.B, Tq = args.shape.Tq, Tk = args.shape.Tk, H = args.shape.H, K = args.shape.K,
                V = args.shape.V, N = args.options.states();
  const Call call(args.shape, args.options, args.position, execution);
  if (B * H == 0) return;

  // Row factors: g_i = scale_i do_i, delta_i = -(g_i . o_i).
  cpu::Buffer terms(2 * B * H * Tq);
  float* scale = terms.data();
  float* delta = scale + B * H * Tq;
  execution.parallel(B * H, [&](int64_t head) {
    const int64_t b = head / H, h = head % H;
    call.level().row_terms(Tq, V, head_data(args.output, b, h), args.output.time_stride,
                           head_data(args.d_output, b, h), args.d_output.time_stride,
                           args.denominator + b * Tq * H + h, H, args.options.eps, scale + head * Tq,
                           delta + head * Tq);
  });
  static constexpr float kOne = 1;
  const auto gradient_rows = [&](int64_t head, bool with_delta) {
    Rows rows = rows_of(args.d_output, head / H, head % H);
    rows.scale = scale + head * Tq;
    rows.step = 1;
    if (with_delta) {
      rows.extra = delta + head * Tq;
      rows.extra_step = 1;
    }
    return rows;
  };
  const auto value_rows_and_one = [&](int64_t head) {
    Rows rows = rows_of(args.value, head / H, head % H);
    rows.extra = &kOne;
    return rows;
  };

  call.run(V, K, Tq, Tk, false, [&](int64_t head, int64_t part, int64_t parts) {
    const int64_t b = head / H, h = head % H;
    Sweep s = call.sweep(b, V, Tq, Tk);
    cpu::set_columns(s, K, part, parts);
    s.x = gradient_rows(head, true);
    s.y = value_rows_and_one(head);
    s.u = rows_of(args.key, b, h, call.relu());
    s.out = head_data(args.d_query, b, h);
    s.out_stride = args.d_query.time_stride;
    if (call.relu()) {
      s.gate = head_data(args.query, b, h);
      s.gate_stride = args.query.time_stride;
    }
    s.first = state_by_key(args.S, args.z, head, K, V, N);
    return s;
  });
  call.run_reversed(V, K, Tk, Tq, [&](int64_t head, int64_t part, int64_t parts) {
    const int64_t b = head / H, h = head % H;
    Sweep s = call.sweep(b, V, Tk, Tq);
    cpu::set_columns(s, K, part, parts);
    s.x = value_rows_and_one(head);
    s.y = gradient_rows(head, true);
    s.u = rows_of(args.query, b, h, call.relu());
    s.out = head_data(args.d_key, b, h);
    s.out_stride = args.d_key.time_stride;
    if (call.relu()) {
      s.gate = head_data(args.key, b, h);
      s.gate_stride = args.key.time_stride;
    }
    s.first = state_by_key(args.dS_out, args.dz_out, head, K, V, N);
    s.last = state_by_key(args.dS, args.dz, head, K, V, N);
    return s;
  });
  call.run_reversed(K, V, Tk, Tq, [&](int64_t head, int64_t part, int64_t parts) {
    const int64_t b = head / H, h = head % H;
    Sweep s = call.sweep(b, K, Tk, Tq);
    cpu::set_columns(s, V, part, parts);
    s.x = rows_of(args.key, b, h, call.relu());
    s.y = rows_of(args.query, b, h, call.relu());
    s.u = gradient_rows(head, false);
    s.out = head_data(args.d_value, b, h);
    s.out_stride = args.d_value.time_stride;
    s.first = state_by_value(args.dS_out, head, K, V, N);
    return s;
  });
}

void attention_step(const AttentionStep<float>& args, const Execution& execution) {
  if (args.shape.Tq != 1 || args.shape.Tk != 1) {
    throw ShapeError("attention_step: Tq and Tk must be 1, got Tq = " + std::to_string(args.shape.Tq) +
                     ", Tk = " + std::to_string(args.shape.Tk));
  }
  check_float(args.shape, args.options, args.position);
  const int64_t B = args.shape.B, H = args.shape.H, K = args.shape.K, V = args.shape.V,
                N = args.options.states();
  const cpu::Level& level = cpu::level(execution.isa ? *execution.isa : selected_isa());
  const cpu::Angles angles(args.options.horizon, args.position, B, 1);
  const auto task = [&](int64_t head) {
    const int64_t b = head / H, h = head % H;
    cpu::Step step{.K = K,
                   .V = V,
                   .N = N,
                   .relu = args.options.feature_map == FeatureMap::relu,
                   .eps = args.options.eps,
                   .query = head_data(args.query, b, h),
                   .key = head_data(args.key, b, h),
                   .value = head_data(args.value, b, h),
                   .out = head_data(args.output, b, h),
                   .S = args.S + head * N * K * V,
                   .z = args.z + head * N * K};
    if (angles.cos(b)) {
      step.cos = *angles.cos(b);
      step.sin = *angles.sin(b);
    }
    level.step(step);
  };
  // Below some 64 Ki numbers of state, waking threads costs more than the work.
  if (B * H * N * K * V < (1 << 16)) {
    serial_for(B * H, task);
  } else {
    execution.parallel(B * H, task);
  }
  for (int64_t b = 0; b < B; ++b) args.position[b] += 1;
}

}  // namespace cosformer
