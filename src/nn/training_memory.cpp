#include <algorithm>

#include "cosformer/nn/costs.h"
#include "nn/head_chunk.h"

/// Which tensors exist, and when, follows block.cpp, attention.cpp, head_loss.cpp and what LibTorch's
/// operators keep for their backward pass. Sizes are bytes a token, or of a whole matrix.
namespace cosformer::nn {
namespace {

struct Sizes {
  int64_t w, f, heads, number;  ///< `number`: bytes of what a product reads and gives
  bool rounded, gated, dropout;

  explicit Sizes(const LanguageModelConfig& config, Precision precision)
      : w(config.width),
        f(config.ffn_width),
        heads(config.heads),
        number(precision == Precision::kBfloat16 ? 2 : 4),
        rounded(precision == Precision::kBfloat16),
        gated(config.ffn == "swiglu"),
        dropout(config.dropout > 0) {}
};

/// What linear layers that read one norm's output keep of it: itself, or each its own rounded copy.
int64_t kept_of_norm(const Sizes& sizes, int64_t layers) {
  return sizes.rounded ? 2 * sizes.w * layers : 4 * sizes.w;
}

/// What autograd keeps in one block of a token.
int64_t block_token(const LanguageModelConfig& config, const Sizes& sizes, int64_t length) {
  const int64_t w = sizes.w;
  // Of each norm its input, mean and deviation.
  int64_t bytes = 2 * (4 * w + 8) + kept_of_norm(sizes, 3) + kept_of_norm(sizes, sizes.gated ? 2 : 1);
  // Query, key, value and what attention makes of them; per head a denominator or log-sum-exp.
  bytes += sizes.number * 4 * w + 4 * sizes.heads;
  // elu keeps its inputs beside the features that the operator keeps.
  if (config.attention == "linear") bytes += sizes.number * 2 * w;
  // up and gelu(up); gate, silu(gate), up and their product.
  bytes += sizes.number * (sizes.gated ? 4 : 2) * sizes.f;
  if (sizes.dropout) bytes += sizes.number * 2 * w;
  if (config.activation_dropout > 0) bytes += sizes.number * sizes.f;
  // The weights, what was dropped of them, and the rest; in float32, in bfloat16 from float32's copies.
  if (config.attention_dropout > 0) bytes += 4 * 3 * sizes.heads * length + (sizes.rounded ? 4 * 3 * w : 0);
  return bytes;
}

/// What a block's backward pass adds of a token at its worst, at the feed-forward's last product.
int64_t block_backward_token(const Sizes& sizes) {
  // The gradient of the residual stream, and what of it reaches the product.
  const int64_t of_output = 4 * sizes.w + (sizes.rounded || sizes.dropout ? sizes.number * sizes.w : 0);
  // Inside, the gradient of the product's input; in bfloat16 beside the float32 numbers in which oneDNN sums
  // it, on processors without such a product, else beside that of gelu's input or of both factors, when the
  // product's input has been let go.
  const int64_t inside = sizes.rounded ? 2 + 4 : sizes.gated ? 8 : 4;
  return of_output + inside * sizes.f;
}

}  // namespace

TrainingMemory training_memory(const LanguageModelConfig& config, const TrainingSize& size) {
  const Sizes sizes(config, size.precision);
  const ParameterCounts counts = parameters(config);
  const int64_t tokens = size.rows * size.length, n = config.layers, w = sizes.w;
  const int64_t head_matrix = 4 * config.vocabulary_size * w, stream = 4 * w * tokens;
  const int64_t block_weights = (counts.projections + counts.ffn) / n;
  TrainingMemory memory{};
  memory.weights = memory.gradients = 4 * counts.total();
  memory.moments = size.copies * memory.weights;

  // A block with all it keeps, its rounded weights included, and what it keeps between its passes.
  const int64_t whole_block =
      tokens * block_token(config, sizes, size.length) + (sizes.rounded ? 2 * block_weights : 0);
  const int64_t kept_block = size.recompute ? stream : whole_block;
  // The final norm keeps its input; dropout of the embedding its mask.
  const int64_t ends = stream + (sizes.dropout ? stream : 0);
  memory.activations = n * kept_block + ends;

  // The head: its input and that one's gradient, the matrix' gradient, two chunks; rounded ones beside.
  const int64_t chunk = 4 * config.vocabulary_size * head_chunk_rows(tokens, config.vocabulary_size);
  int64_t head = 2 * stream + head_matrix + 2 * chunk;
  if (sizes.rounded) head += stream + head_matrix + chunk / 2;
  // Both gradients once more, times that of the loss.
  const int64_t head_backward = 2 * stream + 2 * head_matrix;
  const int64_t earlier = size.accumulation > 1 ? memory.gradients : 0;
  // The largest matrix of the feed-forward layers: its gradient, beside the sum it is added to or its rounded
  // self.
  const int64_t matrix = w * sizes.f * (4 + (sizes.rounded ? 2 : 0));
  // A block that is computed again has its input among the kept ones, and its output once more.
  const int64_t work = whole_block + tokens * block_backward_token(sizes) + matrix;
  const int64_t before_last = size.recompute ? n * stream : (n - 1) * kept_block;
  const int64_t before_first = size.recompute ? stream : 0;
  const int64_t first_gradients = memory.gradients - 4 * block_weights - 4 * counts.embedding -
                                  4 * counts.positions + (config.tie_embeddings ? head_matrix : 0);
  const int64_t of_embedding = memory.gradients + stream + (config.tie_embeddings ? head_matrix : 0);
  memory.peak =
      memory.weights + memory.moments +
      std::max({earlier + memory.activations + std::max(head, head_backward),
                earlier + ends - stream + before_last + work + head_matrix,
                (earlier ? earlier : first_gradients) + ends - stream + before_first + work, of_embedding});
  return memory;
}

}  // namespace cosformer::nn
