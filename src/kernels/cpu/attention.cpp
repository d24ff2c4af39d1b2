// The public entry points: they check, describe each product as a pass of sweeps (sweep.h), have all memory
// that it takes, and write results from then on alone.

#include "cosformer/attention.h"

#include <algorithm>
#include <vector>

#include "kernels/check.h"
#include "kernels/cpu/causal.h"
#include "kernels/cpu/dense.h"
#include "kernels/cpu/packed_states.h"
#include "kernels/cpu/recurrence.h"

namespace cosformer {
namespace {

using cpu::Call;
using cpu::Pass;
using cpu::Results;
using cpu::StateView;
using cpu::Sweep;
using cpu::Unit;

/// S [N][K][V] and z [N][K] of one unit, read along V.
StateView state_by_value(const float* S, const float* z, const AttentionShape& s, int64_t N,
                         const Unit& unit) {
  if (!S) return {};
  const int64_t at = (unit.b * s.G + unit.g) * N * s.K;
  // Sweeps read `first` and write `last` alone; one type serves both.
  return {const_cast<float*>(S) + at * s.V, s.K * s.V, s.V, 1, z ? const_cast<float*>(z) + at : nullptr, s.K};
}

/// The same, read along K.
StateView state_by_key(const float* S, const float* z, const AttentionShape& s, int64_t N, const Unit& unit) {
  StateView view = state_by_value(S, z, s, N, unit);
  std::swap(view.x_stride, view.u_stride);
  return view;
}

/// 1 / denominator and delta of every token and head, [B][H][token], where outputs are normalised.
template <class T, class Args>
class OutputTerms {
 public:
  OutputTerms(const Call<T>& call, const Args& args) : args_(args), stride_(call.queries.longest()) {
    const auto& s = args.shape;
    if (!args.options.normalize) return;
    terms_ = cpu::Buffer(2 * s.B * s.H * stride_);
    constexpr int64_t kRows = 256;  // of a task
    const int64_t stretches = (stride_ + kRows - 1) / kRows;
    call.parallel(s.B * stretches, [&](int64_t task) {
      const int64_t b = task / stretches, first = task % stretches * kRows;
      cpu::RowTerms<T> terms;
      terms.side = call.queries.side(b);
      terms.first = first;
      terms.count = std::min(kRows, terms.side.count - first);
      terms.heads = s.H;
      terms.V = s.V;
      terms.out = call.queries.matrix(args.output, b, 0);
      terms.d_out = call.queries.matrix(args.d_output, b, 0);
      terms.denominator = {args.denominator + call.queries.first_line(b) * s.H, s.H, 1};
      terms.eps = args.options.eps;
      terms.scale = terms_.data() + b * s.H * stride_;
      terms.delta = terms.scale + s.B * s.H * stride_;
      terms.head_stride = stride_;
      call.kernels().row_terms(terms);
    });
  }

  cpu::Terms scale(const Unit& unit) const { return of(unit, 0); }
  cpu::Terms delta(const Unit& unit) const { return of(unit, args_.shape.B * args_.shape.H); }

 private:
  cpu::Terms of(const Unit& unit, int64_t first) const {
    const auto& s = args_.shape;
    if (!args_.options.normalize) return {};
    const int64_t head = unit.b * s.H + unit.g * (s.H / s.G);
    return {const_cast<cpu::Buffer&>(terms_).data() + (first + head) * stride_, stride_};
  }

  const Args& args_;
  int64_t stride_;
  cpu::Buffer terms_;
};

/// Rows of a result that are padding become 0.
template <class T>
void clear_padding(const Call<T>& call, const cpu::Tokens& tokens, const View<T>& view, int64_t B,
                   int64_t heads, int64_t width) {
  if (!tokens.padded()) return;
  constexpr int64_t kRows = 128;  // of a task
  const int64_t stretches = (tokens.all() + kRows - 1) / kRows;
  call.parallel(B * stretches, [&](int64_t task) {
    const int64_t first = task % stretches * kRows;
    tokens.clear_padding(view, task / stretches, first, std::min(kRows, tokens.all() - first), heads, width);
  });
}

/// x = phi(q), y = phi(k), u = v. `Args` has no key and value where a state alone is read.
template <class T, class Args>
void set_output(Sweep<T>& s, const Call<T>& call, const Args& args, const Unit& unit) {
  const int64_t b = unit.b, head = unit.g * call.heads_of_group();
  s.x_side = call.query_side(b);
  s.x_heads = call.heads_of_group();
  s.x = call.queries.matrix(args.query, b, head);
  s.relu_x = call.relu();
  s.out = call.queries.matrix(args.output, b, head);
  s.normalize = args.options.normalize;
  s.sum = cpu::Sum::y;
  if (args.denominator) {
    s.denominator = {args.denominator + call.queries.first_line(b) * args.shape.H + head, args.shape.H, 1};
  }
}

template <class T>
Pass<T> output_pass(const Call<T>& call, const AttentionForward<T>& args) {
  return {args.shape.K, args.shape.V, false, false, [&](const Unit& unit) {
            Sweep<T> s;
            set_output(s, call, args, unit);
            s.y_side = call.key_side(unit.b);
            s.y = call.keys.matrix(args.key, unit.b, unit.g);
            s.relu_y = call.relu();
            s.u = call.keys.matrix(args.value, unit.b, unit.g);
            const int64_t N = args.options.states();
            s.first = state_by_value(args.S, args.z, args.shape, N, unit);
            s.last = state_by_value(args.S_out, args.z_out, args.shape, N, unit);
            return s;
          }};
}

/// x = do / den, a = delta, u = phi(k): what the gradient of q has, read from keys or from a state.
template <class T, class Args>
void set_query_gradient(Sweep<T>& s, const Call<T>& call, const Args& args, const OutputTerms<T, Args>& terms,
                        const Unit& unit) {
  const int64_t b = unit.b, head = unit.g * call.heads_of_group();
  s.x_side = call.query_side(b);
  s.x_heads = call.heads_of_group();
  s.x = call.queries.matrix(args.d_output, b, head);
  s.x_scale = terms.scale(unit);
  s.a = terms.delta(unit);
  s.sum = args.options.normalize ? cpu::Sum::u : cpu::Sum::none;
  s.out = call.queries.matrix(args.d_query, b, head);
  if (call.relu()) s.gate = call.queries.matrix(args.query, b, head);
  s.first = state_by_key(args.S, args.z, args.shape, args.options.states(), unit);
}

template <class T>
Pass<T> query_gradient_pass(const Call<T>& call, const AttentionBackward<T>& args,
                            const OutputTerms<T, AttentionBackward<T>>& terms) {
  return {args.shape.V, args.shape.K, false, false, [&](const Unit& unit) {
            Sweep<T> s;
            set_query_gradient(s, call, args, terms, unit);
            s.y_side = call.key_side(unit.b);
            s.y = call.keys.matrix(args.value, unit.b, unit.g);
            s.u = call.keys.matrix(args.key, unit.b, unit.g);
            s.relu_u = call.relu();
            return s;
          }};
}

/// y = phi(q), u = do / den, b = delta: the state R that gradients of keys, values and states are read from.
template <class T, class Args>
void set_gradient_state(Sweep<T>& s, const Call<T>& call, const Args& args, const OutputTerms<T, Args>& terms,
                        const Unit& unit) {
  const int64_t b = unit.b, head = unit.g * call.heads_of_group();
  s.y_side = call.query_side(b);
  s.y_heads = call.heads_of_group();
  s.y = call.queries.matrix(args.query, b, head);
  s.relu_y = call.relu();
  s.u = call.queries.matrix(args.d_output, b, head);
  s.u_scale = terms.scale(unit);
  s.b = terms.delta(unit);
  s.sum = cpu::Sum::b_y;
  s.last = state_by_value(args.dS, args.dz, args.shape, args.options.states(), unit);
}

/// x = phi(k) and, for the twin, w = v.
template <class T, class Args>
void set_key_gradients(Sweep<T>& s, const Call<T>& call, const Args& args, const Unit& unit) {
  s.x_side = call.key_side(unit.b);
  s.x = call.keys.matrix(args.key, unit.b, unit.g);
  s.relu_x = call.relu();
  s.out = call.keys.matrix(args.d_value, unit.b, unit.g);
  s.w = call.keys.matrix(args.value, unit.b, unit.g);
  s.twin = call.keys.matrix(args.d_key, unit.b, unit.g);
  if (call.relu()) s.twin_gate = call.keys.matrix(args.key, unit.b, unit.g);
}

template <class T>
Pass<T> key_gradients_pass(const Call<T>& call, const AttentionBackward<T>& args,
                           const OutputTerms<T, AttentionBackward<T>>& terms) {
  return {args.shape.K, args.shape.V, true, args.options.causal, [&](const Unit& unit) {
            Sweep<T> s;
            set_gradient_state(s, call, args, terms, unit);
            set_key_gradients(s, call, args, unit);
            s.first = state_by_value(args.dS_out, args.dz_out, args.shape, args.options.states(), unit);
            return s;
          }};
}

template <class T>
void forward(const AttentionForward<T>& args, const Execution& execution) {
  check(args);
  const Call<T> call(Results::output, args.shape, args.options, args.query_rows, args.key_rows, args.decay,
                     args.position, execution);
  const AttentionShape& s = args.shape;
  const Pass<T> pass = output_pass(call, args);
  cpu::Buffer states;
  if (!args.options.causal) {
    if (execution.form == Form::recurrent) throw ShapeError("attention: the recurrent form needs causal");
    cpu::Dense<T> all(call, pass, states);
    clear_padding(call, call.queries, args.output, s.B, s.H, s.V);
    return all.run();
  }
  // Each sequence's own count decides, so that its bits do not depend on its neighbours.
  const auto recurrent = [&](const Unit& unit) {
    if (execution.form != Form::automatic) return execution.form == Form::recurrent;
    return args.S_out && call.queries.count(unit.b) <= 2;
  };
  std::vector<Unit> units = call.units();
  const auto rest = std::stable_partition(units.begin(), units.end(), recurrent);
  const std::vector<Unit> recurrently(units.begin(), rest);
  units.erase(units.begin(), rest);
  if (!recurrently.empty() && !args.S_out)
    states.reserve(s.B * s.G * args.options.states() * s.K * (s.V + 1));
  cpu::Causal<T> others(call, {&pass}, units);
  clear_padding(call, call.queries, args.output, s.B, s.H, s.V);
  cpu::forward_recurrent(call, args, recurrently, states.data());
  others.run();
}

template <class T>
void backward(const AttentionBackward<T>& args, const Execution& execution) {
  check(args);
  if (execution.form == Form::recurrent)
    throw ShapeError("attention: the recurrent form has no backward pass");
  const Call<T> call(Results::gradients, args.shape, args.options, args.query_rows, args.key_rows, args.decay,
                     args.position, execution);
  const auto clear = [&] {
    const AttentionShape& s = args.shape;
    clear_padding(call, call.queries, args.d_query, s.B, s.H, s.K);
    clear_padding(call, call.keys, args.d_key, s.B, s.G, s.K);
    clear_padding(call, call.keys, args.d_value, s.B, s.G, s.V);
  };
  const OutputTerms<T, AttentionBackward<T>> terms(call, args);
  const Pass<T> queries = query_gradient_pass(call, args, terms),
                keys = key_gradients_pass(call, args, terms);
  if (args.options.causal) {
    const std::vector<Unit> units = call.units();
    cpu::Causal<T> all(call, {&keys, &queries}, units);
    clear();
    all.run();
  } else {
    cpu::Buffer states;
    cpu::Dense<T> of_keys(call, keys, states), of_queries(call, queries, states);
    clear();
    of_keys.run();
    of_queries.run();
  }
}

template <class T>
void state(const AttentionState<T>& args, const Execution& execution) {
  check(args);
  AttentionShape shape = args.shape;
  shape.Tq = shape.H = 0;
  const Call<T> call(Results::output, shape, args.options, {}, args.key_rows, args.decay, args.position,
                     execution);
  const Pass<T> pass{shape.K, shape.V, false, false, [&](const Unit& unit) {
                       Sweep<T> s;
                       s.y_side = call.key_side(unit.b);
                       s.y = call.keys.matrix(args.key, unit.b, unit.g);
                       s.relu_y = call.relu();
                       s.u = call.keys.matrix(args.value, unit.b, unit.g);
                       s.sum = cpu::Sum::y;
                       s.last = state_by_value(args.S, args.z, shape, args.options.states(), unit);
                       return s;
                     }};
  cpu::Buffer memory;
  cpu::PackedStates<T> states(call, pass, call.units(), memory);
  states.accumulate();
  states.store();
}

template <class T>
void state_backward(const AttentionStateBackward<T>& args, const Execution& execution) {
  check(args);
  AttentionShape shape = args.shape;
  shape.Tq = shape.H = 0;
  const Call<T> call(Results::gradients, shape, args.options, {}, args.key_rows, args.decay, args.position,
                     execution);
  // What is left of a token when the state stands after the last one.
  std::vector<float> left;
  const int64_t longest = call.keys.longest();
  for (int64_t unit = 0; args.decay && unit < shape.B * shape.G; ++unit) {
    for (int64_t t = 0; t < longest; ++t) {
      left.push_back(
          call.left_after(unit % shape.G, std::max<int64_t>(0, call.keys.count(unit / shape.G) - t)));
    }
  }
  const Pass<T> pass{shape.K, shape.V, true, false, [&](const Unit& unit) {
                       Sweep<T> s;
                       set_key_gradients(s, call, args, unit);
                       s.sum = args.dz ? cpu::Sum::b_y : cpu::Sum::none;
                       s.first = state_by_value(args.dS, args.dz, shape, args.options.states(), unit);
                       if (args.decay) s.x_fade = {left.data() + (unit.b * shape.G + unit.g) * longest, 0};
                       return s;
                     }};
  cpu::Buffer memory;
  cpu::PackedStates<T> states(call, pass, call.units(), memory);
  clear_padding(call, call.keys, args.d_key, shape.B, shape.G, shape.K);
  clear_padding(call, call.keys, args.d_value, shape.B, shape.G, shape.V);
  states.load();
  states.read();
}

template <class T>
void read(const AttentionRead<T>& args, const Execution& execution) {
  check(args);
  AttentionShape shape = args.shape;
  shape.Tk = 0;
  const Call<T> call(Results::output, shape, args.options, {}, {}, nullptr, args.position, execution);
  const Pass<T> pass{shape.K, shape.V, false, false, [&](const Unit& unit) {
                       Sweep<T> s;
                       set_output(s, call, args, unit);
                       s.first = state_by_value(args.S, args.z, shape, args.options.states(), unit);
                       return s;
                     }};
  cpu::Buffer memory;
  cpu::PackedStates<T> states(call, pass, call.units(), memory);
  states.load();
  states.read();
}

template <class T>
void read_backward(const AttentionReadBackward<T>& args, const Execution& execution) {
  check(args);
  AttentionShape shape = args.shape;
  shape.Tk = 0;
  const Call<T> call(Results::gradients, shape, args.options, {}, {}, nullptr, args.position, execution);
  const OutputTerms<T, AttentionReadBackward<T>> terms(call, args);
  const Pass<T> queries{shape.V, shape.K, false, false, [&](const Unit& unit) {
                          Sweep<T> s;
                          set_query_gradient(s, call, args, terms, unit);
                          return s;
                        }};
  const Pass<T> state{shape.K, shape.V, false, false, [&](const Unit& unit) {
                        Sweep<T> s;
                        set_gradient_state(s, call, args, terms, unit);
                        return s;
                      }};
  cpu::Buffer memory;
  cpu::PackedStates<T> read(call, queries, call.units(), memory);
  cpu::PackedStates<T> gradient(call, state, args.dS ? call.units() : std::vector<Unit>(), memory);
  read.load();
  read.read();
  if (!args.dS) return;
  gradient.accumulate();
  gradient.store();
  if (!args.options.normalize)
    std::fill_n(args.dz, shape.B * shape.G * args.options.states() * shape.K, 0.0F);
}

}  // namespace

void attention_forward(const AttentionForward<float>& args, const Execution& execution) {
  forward(args, execution);
}
void attention_forward(const AttentionForward<bfloat16>& args, const Execution& execution) {
  forward(args, execution);
}
void attention_backward(const AttentionBackward<float>& args, const Execution& execution) {
  backward(args, execution);
}
void attention_backward(const AttentionBackward<bfloat16>& args, const Execution& execution) {
  backward(args, execution);
}
void attention_state(const AttentionState<float>& args, const Execution& execution) {
  state(args, execution);
}
void attention_state(const AttentionState<bfloat16>& args, const Execution& execution) {
  state(args, execution);
}
void attention_state_backward(const AttentionStateBackward<float>& args, const Execution& execution) {
  state_backward(args, execution);
}
void attention_state_backward(const AttentionStateBackward<bfloat16>& args, const Execution& execution) {
  state_backward(args, execution);
}
void attention_read(const AttentionRead<float>& args, const Execution& execution) {
  read(args, execution);
}
void attention_read(const AttentionRead<bfloat16>& args, const Execution& execution) {
  read(args, execution);
}
void attention_read_backward(const AttentionReadBackward<float>& args, const Execution& execution) {
  read_backward(args, execution);
}
void attention_read_backward(const AttentionReadBackward<bfloat16>& args, const Execution& execution) {
  read_backward(args, execution);
}

}  // namespace cosformer
