#include "kernels/cpu/recurrence.h"

#include "kernels/check.h"

namespace cosformer::cpu {
namespace {

/// Below this, waking threads costs more than the work: numbers of state.
constexpr int64_t kSerial = 1 << 16;

/// What the tokens of one unit have in common.
template <class T, class Args>
Step<T> step_of(const Args& args) {
  Step<T> step;
  step.K = args.shape.K;
  step.V = args.shape.V;
  step.N = args.options.states();
  step.heads = args.shape.G == 0 ? 0 : args.shape.H / args.shape.G;
  step.relu = args.options.feature_map == FeatureMap::relu;
  step.normalize = args.options.normalize;
  step.eps = args.options.eps;
  step.query_stride = args.query.head_stride;
  step.out_stride = args.output.head_stride;
  return step;
}

template <class T>
void attention_step(const AttentionStep<T>& args, const Execution& execution) {
  check(args);
  const auto& s = args.shape;
  const int64_t N = args.options.states(), heads = s.G == 0 ? 0 : s.H / s.G;
  const Kernels<T>& kernels = kernels_of<T>(execution.isa);
  const Angles angles(args.options.horizon, args.position, s.B, 1);
  const Fading fading(args.decay, s.G, 1);
  const auto task = [&](int64_t unit) {
    const int64_t b = unit / s.G, g = unit % s.G;
    const auto row = [&](const auto& view, int64_t head) {
      return view.data + b * view.batch_stride + head * view.head_stride;
    };
    Step<T> step = step_of<T>(args);
    step.query = row(args.query, g * heads);
    step.key = row(args.key, g);
    step.value = row(args.value, g);
    step.out = row(args.output, g * heads);
    step.S = args.S + unit * N * s.K * s.V;
    step.z = args.z + unit * N * s.K;
    if (args.decay) step.decay = fading.group(g)[1];
    if (angles.cos(b)) {
      step.cos = *angles.cos(b);
      step.sin = *angles.sin(b);
    }
    kernels.step(step);
  };
  if (s.B * s.G * N * s.K * s.V < kSerial) {
    serial_for(s.B * s.G, task);
  } else {
    execution.parallel(s.B * s.G, task);
  }
  for (int64_t b = 0; b < s.B; ++b) args.position[b] += 1;
}

}  // namespace

template <class T>
void forward_recurrent(const Call<T>& call, const AttentionForward<T>& args, const std::vector<Unit>& units,
                       float* own) {
  const auto& s = args.shape;
  const int64_t N = args.options.states(), heads = call.heads_of_group();
  const int64_t S_floats = N * s.K * s.V, z_floats = N * s.K;
  float* S = args.S_out ? args.S_out : own;
  float* z = args.z_out ? args.z_out : own ? own + s.B * s.G * S_floats : nullptr;  // null: no units
  call.parallel(static_cast<int64_t>(units.size()), [&](int64_t task) {
    const auto [b, g] = units[static_cast<size_t>(task)];
    const int64_t unit = b * s.G + g;
    Step<T> step = step_of<T>(args);
    step.S = S + unit * S_floats;
    step.z = z + unit * z_floats;
    step.decay = call.left_after(g, 1);
    for (int64_t i = 0; i < S_floats; ++i) step.S[i] = args.S ? args.S[unit * S_floats + i] : 0;
    for (int64_t i = 0; i < z_floats; ++i) step.z[i] = args.z ? args.z[unit * z_floats + i] : 0;
    const Side queries = call.query_side(b), keys = call.key_side(b);
    for (int64_t t = 0; t < keys.count; ++t) {
      const int64_t q = queries.line(t), k = keys.line(t);
      step.cos = keys.cos ? keys.cos[t] : 1.0F;
      step.sin = keys.sin ? keys.sin[t] : 0.0F;
      step.query = call.queries.matrix(args.query, b, g * heads).line(0, q);
      step.key = call.keys.matrix(args.key, b, g).line(0, k);
      step.value = call.keys.matrix(args.value, b, g).line(0, k);
      step.out = call.queries.matrix(args.output, b, g * heads).line(0, q);
      step.denominator =
          args.denominator ? args.denominator + (call.queries.first_line(b) + q) * s.H + g * heads : nullptr;
      call.kernels().step(step);
    }
  });
}

template void forward_recurrent(const Call<float>&, const AttentionForward<float>&, const std::vector<Unit>&,
                                float*);
template void forward_recurrent(const Call<bfloat16>&, const AttentionForward<bfloat16>&,
                                const std::vector<Unit>&, float*);

}  // namespace cosformer::cpu

namespace cosformer {

void attention_step(const AttentionStep<float>& args, const Execution& execution) {
  cpu::attention_step(args, execution);
}
void attention_step(const AttentionStep<bfloat16>& args, const Execution& execution) {
  cpu::attention_step(args, execution);
}

}  // namespace cosformer
