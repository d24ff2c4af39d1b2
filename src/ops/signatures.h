#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>
#include <tuple>

/// The schemas in C++, for calls through the dispatcher.
namespace cosformer::ops {

using Tensor = at::Tensor;
using OptionalTensor = std::optional<at::Tensor>;
using OptionalInt = std::optional<int64_t>;
using ThreeTensors = std::tuple<Tensor, Tensor, Tensor>;
using FourTensors = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using FiveTensors = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

namespace signature {

using Attention = Tensor(const Tensor& query, const Tensor& key, const Tensor& value, OptionalInt horizon,
                         bool causal, const OptionalTensor& query_padding_mask,
                         const OptionalTensor& key_padding_mask, const OptionalTensor& decay,
                         std::string_view feature_map, bool normalize, double eps);
using AttentionForward = std::tuple<Tensor, Tensor>(const Tensor& query, const Tensor& key,
                                                    const Tensor& value, OptionalInt horizon, bool causal,
                                                    std::string_view feature_map, double eps);
using AttentionBackward = ThreeTensors(const Tensor& d_output, const Tensor& query, const Tensor& key,
                                       const Tensor& value, const Tensor& output, const Tensor& denominator,
                                       OptionalInt horizon, bool causal, std::string_view feature_map,
                                       double eps);

using AttentionStateful = FourTensors(const Tensor& query, const Tensor& key, const Tensor& value,
                                      const Tensor& S, const Tensor& z, const Tensor& position,
                                      OptionalInt horizon, const OptionalTensor& padding_mask,
                                      const OptionalTensor& decay, std::string_view feature_map,
                                      bool normalize, double eps);
using AttentionStatefulForward = FiveTensors(const Tensor& query, const Tensor& key, const Tensor& value,
                                             const Tensor& S, const Tensor& z, const Tensor& position,
                                             OptionalInt horizon, std::string_view feature_map, double eps);
using AttentionStatefulBackward = FiveTensors(const OptionalTensor& d_output, const OptionalTensor& dS_out,
                                              const OptionalTensor& dz_out, const Tensor& query,
                                              const Tensor& key, const Tensor& value, const Tensor& S,
                                              const Tensor& z, const Tensor& position, const Tensor& output,
                                              const Tensor& denominator, OptionalInt horizon,
                                              std::string_view feature_map, double eps);

using AttentionStep = Tensor(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& S,
                             const Tensor& z, const Tensor& position, OptionalInt horizon,
                             const OptionalTensor& decay, std::string_view feature_map, bool normalize,
                             double eps);

}  // namespace signature

/// The operator of that name, such as "cosformer::attention".
template <class Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace cosformer::ops
