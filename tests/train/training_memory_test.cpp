#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "cosformer/nn/costs.h"
#include "train/scaling.h"
#include "train/tiny_recipe.h"
#include "train/trainer.h"

namespace cosformer::train::test {
namespace {

/// LibTorch's memory for tensors on the CPU, and how many bytes of it are in use.
class CountingAllocator final : public c10::Allocator {
 public:
  /// Acts from the first call on.
  static CountingAllocator& of_process() {
    static CountingAllocator* allocator = [] {
      auto* made = new CountingAllocator;
      c10::SetCPUAllocator(made, 1);
      return made;
    }();
    return *allocator;
  }

  c10::DataPtr allocate(std::size_t size) override {
    auto* block = static_cast<std::byte*>(c10::alloc_cpu(size + kHeader));
    std::memcpy(block, &size, sizeof(size));
    const int64_t now = in_use_ += static_cast<int64_t>(size);
    most_ = std::max(most_.load(), now);
    return {block + kHeader, block + kHeader, &release, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }

  int64_t in_use() const { return in_use_; }
  int64_t most() const { return most_; }
  void forget_most() { most_ = in_use_.load(); }

 private:
  static constexpr std::size_t kHeader = 64;  // LibTorch's alignment

  static void release(void* data) {
    auto* block = static_cast<std::byte*>(data) - kHeader;
    std::size_t size = 0;
    std::memcpy(&size, block, sizeof(size));
    of_process().in_use_ -= static_cast<int64_t>(size);
    c10::free_cpu(block);
  }

  std::atomic<int64_t> in_use_ = 0, most_ = 0;
};

Recipe base_recipe() {
  Recipe recipe = tiny_recipe();
  recipe.model.vocabulary_size = 256;
  recipe.model.layers = 4;
  recipe.model.width = 128;
  recipe.model.heads = 4;
  recipe.model.ffn_width = 512;
  recipe.model.dropout = 0;
  recipe.model.horizon = recipe.model.max_length = recipe.train.sequence_length = 256;
  recipe.train.batch_size = 4;
  recipe.train.accumulation = 1;
  return recipe;
}

struct Case {
  const char* name;
  void (*change)(Recipe&);
};

class TrainingMemory : public testing::TestWithParam<Case> {};

TEST_P(TrainingMemory, IsWithinATenthOfWhatIsDescribed) {
  for (const bool rounded : {false, true}) {
    for (const bool recompute : {false, true}) {
      Recipe recipe = base_recipe();
      recipe.train.precision = rounded ? "bfloat16" : "float32";
      recipe.train.recompute = recompute;
      GetParam().change(recipe);
      CountingAllocator& memory = CountingAllocator::of_process();
      const int64_t before = memory.in_use();
      int64_t most = 0;
      {
        Team alone;
        Trainer trainer(recipe, tiny_sequences(40 * 256 + 1, 256), alone);
        trainer.step();
        memory.forget_most();
        trainer.step();
        most = memory.most() - before;
      }
      EXPECT_LT(memory.in_use() - before, 100'000) << "nothing is left behind";
      const nn::TrainingMemory described = nn::training_memory(
          recipe.model, training_size(recipe, recipe.train.batch_size, recipe.train.sequence_length));
      const double ratio = static_cast<double>(most) / static_cast<double>(described.peak);
      RecordProperty((rounded ? std::string("bfloat16") : "float32") + (recompute ? "_recompute" : ""),
                     std::to_string(ratio));
      std::printf("%-16s %-8s %-9s measured %9lld described %9lld ratio %.3f\n", GetParam().name,
                  rounded ? "bfloat16" : "float32", recompute ? "recompute" : "",
                  static_cast<long long>(most), static_cast<long long>(described.peak), ratio);
      EXPECT_NEAR(ratio, 1, 0.1) << recipe.train.precision << ' ' << recompute;
    }
  }
}

const Case kCases[] = {
    {"cosformer", [](Recipe&) {}},
    {"dropout", [](Recipe& recipe) { recipe.model.dropout = 0.1; }},
    {"activation_dropout", [](Recipe& recipe) { recipe.model.activation_dropout = 0.1; }},
    {"attention_dropout",
     [](Recipe& recipe) {
       recipe.model.attention = "softmax";
       recipe.model.horizon.reset();
       recipe.model.attention_dropout = 0.1;
     }},
    {"swiglu", [](Recipe& recipe) { recipe.model.ffn = "swiglu"; }},
    {"linear",
     [](Recipe& recipe) {
       recipe.model.attention = "linear";
       recipe.model.horizon.reset();
     }},
    {"softmax",
     [](Recipe& recipe) {
       recipe.model.attention = "softmax";
       recipe.model.horizon.reset();
     }},
    {"nag", [](Recipe& recipe) { recipe.optimizer.kind = "nag"; }},
    {"accumulation", [](Recipe& recipe) { recipe.train.accumulation = 2; }},
    {"average", [](Recipe& recipe) { recipe.train.average_decay = 0.9; }},
    {"few_tokens", [](Recipe& recipe) { recipe.train.batch_size = 1; }},
    {"many_tokens", [](Recipe& recipe) { recipe.train.batch_size = 16; }},
    {"deep", [](Recipe& recipe) { recipe.model.layers = 12; }},
    {"shallow", [](Recipe& recipe) { recipe.model.layers = 1; }},
    {"large_vocabulary",
     [](Recipe& recipe) {
       recipe.model.vocabulary_size = 20'000;
       recipe.train.batch_size = 8;
     }},
    {"untied",
     [](Recipe& recipe) {
       recipe.model.vocabulary_size = 5000;
       recipe.model.tie_embeddings = false;
     }},
    {"narrow_ffn", [](Recipe& recipe) { recipe.model.ffn_width = 64; }},
    {"sinusoidal", [](Recipe& recipe) { recipe.model.positions = "sinusoidal"; }},
    {"swiglu_dropout",
     [](Recipe& recipe) {
       recipe.model.ffn = "swiglu";
       recipe.model.dropout = recipe.model.activation_dropout = 0.1;
     }},
};

INSTANTIATE_TEST_SUITE_P(Cases, TrainingMemory, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cosformer::train::test
