#include <torch/library.h>

#include "ops/arguments.h"
#include "ops/cpu/run.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention_step_";

void check_in_place(const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_VALUE(tensor.is_contiguous(), kName, ": ", name,
                    " must be contiguous, since it is advanced in place, ", "got sizes ", tensor.sizes(),
                    ", strides ", tensor.strides());
}

at::Tensor attention_step_(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const at::Tensor& S, const at::Tensor& z, const at::Tensor& position,
                           std::optional<int64_t> horizon, const std::optional<at::Tensor>& decay,
                           std::string_view feature_map, bool normalize, double eps) {
  const Options options{horizon, true, feature_map, eps};
  check_supported(kName, std::nullopt, std::nullopt, decay, normalize);
  check_attention(kName, query, key, value, options);
  check_one_token(kName, query);
  check_state(kName, query, value, S, z, position, options);
  check_in_place("S", S);
  check_in_place("z", z);
  check_in_place("position", position);
  const auto q = unit_last_stride(query), k = unit_last_stride(key), v = unit_last_stride(value);
  const auto shape = shape_of(q, k, v);
  auto output = query.new_empty({shape.B, 1, shape.H, shape.V});
  with_type(query.scalar_type(), [&]<class T>(T) {
    AttentionStep<T> args;
    args.shape = shape;
    args.options = kernel_options(kName, options);
    args.query = view<const T>(q);
    args.key = view<const T>(k);
    args.value = view<const T>(v);
    args.output = view<T>(output);
    args.S = pointer<T>(S);
    args.z = pointer<T>(z);
    args.position = pointer<int64_t>(position);
    run(args);
  });
  return output;
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, CPU, library) {
  library.impl("attention_step_", attention_step_);
}

}  // namespace cosformer::ops
