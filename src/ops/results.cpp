#include "ops/results.h"

#include <c10/util/Exception.h>

namespace cosformer::ops {
namespace {

Tensor make(const Tensor& like, const Sizes& sizes, at::ScalarType dtype) {
  c10::SymDimVector numbers;
  for (const Size& size : sizes) numbers.push_back(*size.size);
  return like.new_empty_symint(numbers, like.options().dtype(dtype));
}

}  // namespace

Tensor new_result(const Call& call, const Shape& s, Tensor Call::*result) {
  const auto storage = storage_type(call), state = state_type(call);
  const auto is = [&](Tensor Call::*other) { return result == other; };
  const c10::SymInt N = call.horizon ? 2 : 1;
  const Sizes nothing{c10::SymInt(0)};

  if (is(&Call::output)) return make(call.query, token_sizes(call, s.B, s.Tq, s.H, s.V), storage);
  if (is(&Call::denominator)) return make(call.query, denominator_sizes(call, s), state);
  if (is(&Call::d_query)) return make(call.query, token_sizes(call, s.B, s.Tq, s.H, s.K), storage);
  if (is(&Call::d_key)) return make(call.key, token_sizes(call, s.B, s.Tk, s.G, s.K), storage);
  if (is(&Call::d_value)) return make(call.value, token_sizes(call, s.B, s.Tk, s.G, s.V), storage);

  const Tensor& like = call.query.defined() ? call.query : call.key;
  const Sizes S{s.B, s.G, N, s.K, s.V}, z{s.B, s.G, N, s.K};
  if (is(&Call::S_out)) return make(like, S, state);
  if (is(&Call::z_out)) return make(like, z, state);
  if (is(&Call::dS)) return make(like, call.state_gradients ? S : nothing, state);
  if (is(&Call::dz)) return make(like, call.state_gradients ? z : nothing, state);
  if (is(&Call::position_out)) return make(call.position, {s.B}, at::kLong);
  TORCH_INTERNAL_ASSERT(false, call.name, ": no such result");
}

}  // namespace cosformer::ops
