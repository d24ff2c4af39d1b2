#include "ops/fill/operands.h"

namespace cosformer::ops {
namespace {

Tensor contiguous(const Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

Tensor wide(const Tensor& cu_seqlens) {
  return cu_seqlens.defined() ? cu_seqlens.to(at::kLong).contiguous() : cu_seqlens;
}

Rows rows(const OptionalTensor& padding, const Tensor& cu_seqlens) {
  Rows rows;
  if (present(padding)) {
    rows.padding = pointer<const bool>(*padding);
    rows.padding_batch_stride = padding->stride(0);
    rows.padding_time_stride = padding->stride(1);
  }
  rows.cu_seqlens = pointer<const int64_t>(cu_seqlens);
  return rows;
}

}  // namespace

Tensor unit_last_stride(const Tensor& tensor) {
  if (!tensor.defined() || tensor.stride(-1) == 1 || tensor.size(-1) == 1) return tensor;
  return tensor.contiguous();
}

Operands::Operands(const Call& call, const Shape& s)
    : shape_{s.B.expect_int(), s.Tq.expect_int(), s.Tk.expect_int(), s.H.expect_int(),
             s.G.expect_int(), s.K.expect_int(),  s.V.expect_int()},
      options_(kernel_options(call)),
      query_(unit_last_stride(call.query)),
      key_(unit_last_stride(call.key)),
      value_(unit_last_stride(call.value)),
      S_(contiguous(call.S)),
      z_(contiguous(call.z)),
      position_(contiguous(call.position)),
      decay_(contiguous(call.decay.value_or(Tensor()))),
      cu_seqlens_q_(wide(call.cu_seqlens_q)),
      cu_seqlens_k_(wide(call.cu_seqlens_k)) {
  query_rows_ = rows(call.query_padding_mask, cu_seqlens_q_);
  key_rows_ = rows(call.key_padding_mask, cu_seqlens_k_);
}

}  // namespace cosformer::ops
