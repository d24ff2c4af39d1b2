#pragma once

#include <type_traits>

#include "cosformer/attention.h"
#include "ops/arguments.h"

namespace cosformer::ops {

/// The first element of a defined tensor, else null. Never null for a defined one, which kernels would take
/// for an absent one.
template <class T>
T* pointer(const Tensor& tensor) {
  static std::remove_const_t<T> nothing{};
  if (!tensor.defined()) return nullptr;
  if (tensor.numel() == 0) return &nothing;
  if constexpr (std::is_const_v<T>) {
    return static_cast<T*>(tensor.const_data_ptr());
  } else {
    return static_cast<T*>(tensor.mutable_data_ptr());
  }
}

/// Of tokens [B, T, heads, width], or packed [total, heads, width].
template <class T>
View<T> view(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {pointer<T>(tensor), tensor.dim() == 4 ? tensor.stride(0) : 0, tensor.stride(-3), tensor.stride(-2)};
}

/// The input tensors of a checked call as kernels take them: copied where strides do not fit.
class Operands {
 public:
  Operands(const Call& call, const Shape& shape);

  /// The inputs that `Args`, a struct of the kernel library, has.
  template <class T, class Args>
  void set(Args& args) const {
    args.shape = shape_;
    args.options = options_;
    if constexpr (requires { args.query_rows; }) args.query_rows = query_rows_;
    if constexpr (requires { args.key_rows; }) args.key_rows = key_rows_;
    if constexpr (requires { args.decay; }) args.decay = pointer<const float>(decay_);
    if constexpr (requires { args.query; }) args.query = view<const T>(query_);
    if constexpr (requires { args.key; }) args.key = view<const T>(key_);
    if constexpr (requires { args.value; }) args.value = view<const T>(value_);
    using Position = std::remove_pointer_t<decltype(args.position)>;
    args.position = pointer<Position>(position_);
    if constexpr (requires(const State<T>* state) { args.S = state; }) {
      args.S = pointer<const State<T>>(S_);
      args.z = pointer<const State<T>>(z_);
    }
  }

 private:
  cosformer::AttentionShape shape_;
  cosformer::AttentionOptions options_;
  Rows query_rows_, key_rows_;
  Tensor query_, key_, value_, S_, z_, position_, decay_, cu_seqlens_q_, cu_seqlens_k_;
};

/// `tensor`, or a copy where its last stride is not 1.
Tensor unit_last_stride(const Tensor& tensor);

}  // namespace cosformer::ops
