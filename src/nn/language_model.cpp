#include "cosformer/nn/language_model.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>

#include <cmath>
#include <sstream>

#include "nn/autocast.h"
#include "nn/head_loss.h"
#include "nn/initial_weights.h"
#include "nn/inspection.h"
#include "nn/positions.h"
#include "nn/recompute.h"

namespace cosformer::nn {
namespace {

std::shared_ptr<torch::nn::EmbeddingImpl> table(int64_t rows, int64_t width) {
  auto embedding = std::make_shared<torch::nn::EmbeddingImpl>(rows, width);
  torch::nn::init::normal_(embedding->weight, 0, kDeviation);
  return embedding;
}

void check_tokens(const torch::Tensor& tokens, const char* name, int64_t rank, const char* shape) {
  if (tokens.dim() != rank || tokens.scalar_type() != torch::kInt64) {
    std::ostringstream message;
    message << "language model: " << name << " must be int64 " << shape << ", got "
            << c10::toString(tokens.scalar_type()) << ' ' << tokens.sizes();
    throw ShapeError(message.str());
  }
}

}  // namespace

LanguageModelImpl::LanguageModelImpl(const LanguageModelConfig& config) : config_(config) {
  check(config);
  embedding_ = register_module("embedding", table(config.vocabulary_size, config.width));
  if (config.positions == "learned") {
    positions_ = register_module("positions", table(config.max_length, config.width));
  }
  blocks_ = register_module("blocks", std::make_shared<torch::nn::ModuleListImpl>());
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    blocks_->push_back(Block(config));
  }
  norm_ = register_module(
      "norm", std::make_shared<torch::nn::LayerNormImpl>(torch::nn::LayerNormOptions({config.width})));
  if (!config.tie_embeddings) {
    head_ = register_module("head",
                            std::make_shared<torch::nn::LinearImpl>(
                                torch::nn::LinearOptions(config.width, config.vocabulary_size).bias(false)));
    torch::nn::init::normal_(head_->weight, 0, kDeviation);
  }
}

void LanguageModelImpl::check_positions(int64_t begin, int64_t count) const {
  const int64_t last = begin + count - 1;
  if (config_.horizon && last >= *config_.horizon) {
    throw ShapeError("language model: position " + std::to_string(last) + " is beyond the horizon M = " +
                     std::to_string(*config_.horizon) + " (positions 0 to M - 1)");
  }
  if (positions_ && last >= config_.max_length) {
    throw ShapeError("language model: position " + std::to_string(last) + " is beyond the " +
                     std::to_string(config_.max_length) + " learned positions (max_length)");
  }
}

torch::Tensor LanguageModelImpl::embed(const torch::Tensor& tokens, int64_t begin) {
  const int64_t count = tokens.size(1);
  check_positions(begin, count);
  torch::Tensor x = embedding_->forward(tokens);
  if (positions_) {
    x = x + positions_->weight.narrow(0, begin, count);
  } else {
    // The table's entries are of size 1; sqrt(width) brings the embedding near it.
    x = x * std::sqrt(static_cast<double>(config_.width)) +
        sinusoidal_positions(begin, count, config_.width, x.options());
  }
  return at::dropout(x, config_.dropout, is_training());
}

torch::Device LanguageModelImpl::device() const {
  return embedding_->weight.device();
}

const torch::Tensor& LanguageModelImpl::head_weight() const {
  return head_ ? head_->weight : embedding_->weight;
}

torch::Tensor LanguageModelImpl::hidden(const torch::Tensor& tokens, const SequenceSplit& split,
                                        bool recompute_blocks) {
  check_tokens(tokens, "tokens", 2, "[B, T]");
  torch::Tensor x = inspected("embedding", embed(tokens, split.index * tokens.size(1)));
  for (std::size_t i = 0; i < blocks_->size(); ++i) {
    const InspectedPart part("blocks." + std::to_string(i));
    const auto block = blocks_->ptr<BlockImpl>(i);
    const auto forward = [block, split](const torch::Tensor& input) { return block->forward(input, split); };
    x = recompute_blocks ? recompute(forward, x, block->parameters()) : forward(x);
  }
  return inspected("norm", norm_->forward(x));
}

torch::Tensor LanguageModelImpl::forward(const torch::Tensor& tokens) {
  return at::linear(hidden(tokens), head_weight());
}

torch::Tensor LanguageModelImpl::loss(const torch::Tensor& tokens, const torch::Tensor& targets,
                                      const ForwardOptions& options) {
  check_tokens(targets, "targets", 2, "[B, T]");
  if (targets.sizes() != tokens.sizes()) {
    std::ostringstream message;
    message << "language model: targets must be " << tokens.sizes() << " as tokens are, got "
            << targets.sizes();
    throw ShapeError(message.str());
  }
  const bool rounded = options.precision == Precision::kBfloat16;
  const torch::DeviceType on = device().type();
  const Autocast autocast(rounded ? torch::kBFloat16 : autocast_dtype(on), on);
  const torch::Tensor x =
      hidden(tokens, options.split, options.recompute && at::GradMode::is_enabled()).flatten(0, 1);
  return head_loss(
      x, head_weight(), targets.flatten(),
      {.label_smoothing = options.label_smoothing, .divisor = options.divisor, .rounded = rounded});
}

DecoderState LanguageModelImpl::initial_state(int64_t batch) const {
  DecoderState state;
  for (const auto& block : *blocks_) {
    state.layers.push_back(block->as<Block>()->initial_state(batch));
  }
  return state;
}

torch::Tensor LanguageModelImpl::prefill(const torch::Tensor& tokens, DecoderState& state) {
  check_tokens(tokens, "tokens", 2, "[B, T]");
  if (tokens.size(1) == 0) {
    throw ShapeError("language model: prefill expected at least one token, got 0");
  }
  const torch::NoGradGuard no_gradients;
  torch::Tensor x = embed(tokens, state.length);
  for (size_t layer = 0; layer < state.layers.size(); ++layer) {
    x = blocks_->ptr<BlockImpl>(layer)->advance(x, state.layers[layer]);
  }
  state.length += tokens.size(1);
  return at::linear(norm_->forward(x.select(1, -1)), head_weight());
}

torch::Tensor LanguageModelImpl::step(const torch::Tensor& tokens, DecoderState& state) {
  check_tokens(tokens, "tokens", 1, "[B]");
  return prefill(tokens.unsqueeze(1), state);
}

}  // namespace cosformer::nn
