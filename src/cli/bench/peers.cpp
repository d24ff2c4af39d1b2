#include "cli/bench/peers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>

#include <fstream>
#include <numbers>

#include "cli/bench/fast_transformers_script.h"
#include "cli/bench/processes.h"

namespace cosformer::cli {
namespace {

constexpr double kEps = 1e-6;
constexpr int64_t kMostBytes = int64_t{1} << 30;

/// [B, T, H, K] -> [B, T, H, 2 K], horizon T.
at::Tensor features(const at::Tensor& x) {
  const int64_t T = x.size(1);
  const at::Tensor theta =
      at::arange(T, at::kDouble).mul(std::numbers::pi / static_cast<double>(2 * T)).view({T, 1, 1});
  const at::Tensor positive = x.relu();
  return at::cat({positive * theta.cos().to(x.scalar_type()), positive * theta.sin().to(x.scalar_type())},
                 -1);
}

at::Tensor causal(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor S = (k.unsqueeze(-1) * v.unsqueeze(-2)).cumsum(1);
  const at::Tensor denominator = (q * k.cumsum(1)).sum(-1, true).clamp_min(kEps);
  return at::einsum("bthk,bthkv->bthv", {q, S}) / denominator;
}

at::Tensor noncausal(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor S = at::einsum("bthk,bthv->bhkv", {k, v});
  const at::Tensor denominator = at::einsum("bthk,bhk->bth", {q, k.sum(1)}).unsqueeze(-1).clamp_min(kEps);
  return at::einsum("bthk,bhkv->bthv", {q, S}) / denominator;
}

}  // namespace

Contender plain_torch_contender(int64_t heads, int64_t width, Mask mask) {
  Contender contender;
  contender.name = "plain LibTorch";
  if (mask == Mask::causal) {
    contender.longest = kMostBytes / (heads * 2 * width * width * 4);
    contender.beyond_longest = "would take several GiB";
  }
  contender.run = [](const AttentionCase& c, bool backward) {
    return run_attention(
        c,
        [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
          return c.causal() ? causal(features(q), features(k), v) : noncausal(features(q), features(k), v);
        },
        backward);
  };
  return contender;
}

PythonPeer measure_fast_transformers(const AttentionBenchOptions& options) {
  // Outputs in touched memory, as keep_freed_memory() does here.
  std::vector<std::string> arguments = {"env",
                                        "MALLOC_MMAP_MAX_=0",
                                        "MALLOC_TRIM_THRESHOLD_=17179869184",
                                        options.python,
                                        "-c",
                                        kFastTransformersScript,
                                        std::to_string(options.heads),
                                        std::to_string(options.width),
                                        std::to_string(options.threads),
                                        std::to_string(options.rounds)};
  for (const int64_t T : options.lengths) arguments.push_back(std::to_string(T));
  const TemporaryFile file;
  const int exit_code = run_program(std::move(arguments), file.path());
  if (exit_code == kNotFound) return {options.python + " not found", {}};
  if (exit_code != 0) throw std::runtime_error("bench: fast-transformers by " + options.python + " failed");
  std::ifstream text(file.path());
  const nlohmann::json measured = nlohmann::json::parse(text);
  if (measured.contains("missing")) return {measured["missing"], {}};
  PythonPeer peer;
  for (const auto& row : measured) peer.rows[row["length"]].push_back(row);
  return peer;
}

}  // namespace cosformer::cli
