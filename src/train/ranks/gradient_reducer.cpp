#include "train/ranks/gradient_reducer.h"

#include <algorithm>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

namespace cosformer::train {
namespace {

/// Sums, where c10d's own hooks average.
class Sum : public c10d::CppCommHookInterface<RankGroup*> {
 public:
  using CppCommHookInterface::CppCommHookInterface;
  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    return state_->begin_sum(bucket.getBufferRef());
  }
};

/// Parameters in reverse, the order in which gradients come, more or less.
std::vector<std::vector<std::size_t>> buckets_of(const std::vector<torch::Tensor>& parameters,
                                                 int64_t bucket_bytes) {
  std::vector<std::vector<std::size_t>> buckets;
  int64_t free_bytes = 0;
  for (std::size_t i = parameters.size(); i-- > 0;) {
    const auto bytes = static_cast<int64_t>(parameters[i].nbytes());
    if (buckets.empty() || bytes > free_bytes) {
      buckets.emplace_back();
      free_bytes = bucket_bytes;
    }
    buckets.back().push_back(i);
    free_bytes -= std::min(bytes, free_bytes);
  }
  return buckets;
}

}  // namespace

GradientReducer::GradientReducer(const std::vector<torch::Tensor>& parameters, RankGroup& group,
                                 int64_t bucket_bytes)
    : reducer_(std::make_unique<c10d::Reducer>(
          parameters, buckets_of(parameters, bucket_bytes), group.group(),
          std::vector<bool>(parameters.size(), false), bucket_bytes, /*find_unused_parameters=*/false,
          /*gradient_as_bucket_view=*/false, std::unordered_map<size_t, std::string>{},
          /*first_bucket_bytes_cap=*/bucket_bytes, /*skip_all_reduce_unused_params=*/false,
          /*use_python_reducer=*/false, std::vector<int64_t>{})) {
  reducer_->register_comm_hook(std::make_unique<Sum>(&group));
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::accumulate(const torch::Tensor& loss) {
  loss.backward();
}

void GradientReducer::accumulate_and_sum(const torch::Tensor& loss) {
  reducer_->prepare_for_forward();
  reducer_->prepare_for_backward({loss});
  loss.backward();
}

}  // namespace cosformer::train
