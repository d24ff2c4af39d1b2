#include <torch/library.h>

#include "ops/arguments.h"

namespace cosformer::ops {
namespace {

constexpr const char* kName = "attention_step_";

at::Tensor attention_step_(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const at::Tensor& S, const at::Tensor& z, const at::Tensor& position,
                           std::optional<int64_t> horizon, const std::optional<at::Tensor>& decay,
                           std::string_view feature_map, bool normalize, double eps) {
  const Options options{horizon, true, feature_map, eps};
  check_supported(kName, std::nullopt, std::nullopt, decay, normalize);
  check_attention(kName, query, key, value, options);
  check_one_token(kName, query);
  check_state(kName, query, value, S, z, position, options);
  return query.new_empty_symint({query.sym_size(0), 1, query.sym_size(2), value.sym_size(3)});
}

}  // namespace

TORCH_LIBRARY_IMPL(cosformer, Meta, library) {
  library.impl("attention_step_", attention_step_);
}

}  // namespace cosformer::ops
