#include "ops/cuda/device.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdlib>
#include <string_view>

#include "kernels/check.h"
#include "ops/fill/longest.h"
#include "ops/fill/operands.h"

namespace cosformer::ops {
namespace {

bool values_are_checked() {
  static const char* const wanted = std::getenv("COSFORMER_CHECK");
  return wanted && std::string_view(wanted) == "1";
}

/// Every check of values, on copies of them.
void check_values(const Call& call, const Shape& shape) {
  check_longest(call);
  Call copy = call;
  for (const auto member : {&Call::cu_seqlens_q, &Call::cu_seqlens_k, &Call::position}) {
    if ((call.*member).defined()) copy.*member = (call.*member).cpu();
  }
  for (const auto member : {&Call::query_padding_mask, &Call::key_padding_mask, &Call::decay}) {
    if (present(call.*member)) copy.*member = (call.*member)->cpu();
  }
  AttentionForward<float> args;
  const Operands inputs(copy, shape);
  inputs.set<float>(args);
  with_c10_errors([&] {
    cosformer::check(Checked{args.shape, args.options, call.query.defined() ? &args.query_rows : nullptr,
                             call.key.defined() ? &args.key_rows : nullptr, args.position, args.decay});
  });
}

}  // namespace

Cuda::Cuda(const Call& call, const Shape& shape)
    : guard_((call.query.defined() ? call.query : call.key).device()), dtype_(storage_type(call)) {
  if (values_are_checked()) check_values(call, shape);
}

cuda::Execution Cuda::execution() const {
  const auto precision =
      at::globalContext().float32Precision(at::Float32Backend::CUDA, at::Float32Op::MATMUL);
  return {.stream = c10::cuda::getCurrentCUDAStream().stream(),
          .scratch =
              [this](size_t bytes) {
                const auto options = at::TensorOptions().dtype(at::kByte).device(at::kCUDA);
                return scratch_.emplace_back(at::empty({static_cast<int64_t>(bytes)}, options)).data_ptr();
              },
          .tf32 = precision == at::Float32Precision::TF32};
}

}  // namespace cosformer::ops
