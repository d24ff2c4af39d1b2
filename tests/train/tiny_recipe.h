#pragma once

#include <random>
#include <string>

#include "data/sequences.h"
#include "train/recipe.h"

/// A training that takes a fraction of a second.
namespace cosformer::train::test {

inline Recipe tiny_recipe() {
  Recipe recipe;
  recipe.threads = 1;
  recipe.model.layers = 2;
  recipe.model.width = 16;
  recipe.model.heads = 2;
  recipe.model.ffn_width = 32;
  recipe.model.dropout = 0.1;
  recipe.model.horizon = 16;
  recipe.model.max_length = 16;
  recipe.optimizer.learning_rate = 1e-2;
  recipe.schedule.warmup_steps = 3;
  recipe.train.steps = 12;
  recipe.train.batch_size = 3;
  recipe.train.accumulation = 2;
  recipe.train.sequence_length = 16;
  recipe.train.evaluate_every = 4;
  recipe.train.checkpoint_every = 3;
  recipe.train.log_every = 2;
  return recipe;
}

/// Letters that tend to follow each other.
inline std::string tiny_text(std::size_t length, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::string text;
  while (text.size() < length) {
    const char next = static_cast<char>('a' + (text.empty() ? 0 : (text.back() - 'a' + 1) % 8));
    text += generator() % 4 == 0 ? static_cast<char>('a' + generator() % 8) : next;
  }
  return text;
}

inline data::Sequences tiny_sequences(std::size_t tokens, int64_t length = 16) {
  std::vector<int32_t> numbers;
  for (const char c : tiny_text(tokens, 1)) numbers.push_back(c);
  return {data::Tokens(std::move(numbers)), length};
}

}  // namespace cosformer::train::test
