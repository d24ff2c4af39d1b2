#include "train/ranks/team.h"

#include "train/device.h"

namespace cosformer::train {

Team::Team(const Recipe& recipe, const std::optional<RankEnvironment>& environment)
    : device_(open_device(recipe.train.device, environment ? environment->local_rank : 0)) {
  check_ranks(recipe, environment ? environment->count : 1);
  if (!environment) return;
  ranks_ = std::make_unique<Ranks>(*environment, std::chrono::seconds(recipe.train.rank_timeout), device_);
  const int64_t stretches = recipe.train.sequence_ranks;
  share_ = {rank() / stretches, count() / stretches, rank() % stretches, stretches};
  if (stretches == 1) return;
  RankGroup& stretch_group = ranks_->part(stretches, "stretches");
  split_ = {share_.stretch, stretches,
            [&stretch_group](const torch::Tensor& tensor) { return stretch_group.gather(tensor); }};
}

void Team::require_equal(const std::string& what, const std::string& text) {
  if (ranks_) ranks_->require_equal(what, text);
}

void Team::at_step(int64_t step) {
  if (ranks_) ranks_->at_step(step);
}

void Team::give_up(const std::string& reason) {
  if (ranks_) ranks_->give_up(reason);
}

void Team::backward(const torch::Tensor& loss, const std::vector<torch::Tensor>& parameters, bool is_last) {
  if (!ranks_) {
    loss.backward();
    return;
  }
  if (!reducer_) reducer_ = std::make_unique<GradientReducer>(parameters, ranks_->all());
  is_last ? reducer_->accumulate_and_sum(loss) : reducer_->accumulate(loss);
}

void Team::sum(torch::Tensor tensor) {
  if (ranks_) ranks_->all().sum(std::move(tensor));
}

bool Team::any(bool here) {
  if (!ranks_) return here;
  const torch::Tensor votes = torch::full({1}, here ? 1.0 : 0.0, torch::kFloat64);
  sum(votes);
  return votes.item<double>() > 0;
}

torch::Tensor Team::gather(const torch::Tensor& row) {
  return at::stack(ranks_ ? ranks_->all().gather(row) : std::vector{row});
}

std::string Team::from_first(std::string text) {
  return ranks_ ? ranks_->all().broadcast(std::move(text)) : text;
}

void Team::from_first(const std::vector<torch::Tensor>& tensors) {
  if (!ranks_) return;
  for (const torch::Tensor& tensor : tensors) ranks_->all().broadcast(tensor);
}

}  // namespace cosformer::train
