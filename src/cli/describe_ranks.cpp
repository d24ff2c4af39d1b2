#include "cli/describe_ranks.h"

#include <algorithm>

#include "cli/table.h"
#include "cli/usage_error.h"

namespace cosformer::cli {
namespace {

std::string milliseconds(double seconds) {
  return fixed(1000 * seconds, seconds < 0.01 ? 3 : 1);
}

std::string megabytes(double bytes) {
  return fixed(bytes / 1e6, bytes < 1e7 ? 2 : 0);
}

}  // namespace

std::string describe_ranks(const train::Recipe& recipe, int64_t ranks, const train::RankMachine& machine) {
  const int64_t stretches = recipe.train.sequence_ranks;
  const int64_t most = stretches * recipe.train.batch_size;
  if (ranks % stretches != 0 || ranks > most) {
    throw UsageError("--ranks: expected a multiple of train.sequence_ranks = " + std::to_string(stretches) +
                     " up to " + std::to_string(most) + ", a row for each group, got " +
                     std::to_string(ranks));
  }
  Table table({"ranks", "tokens/s", "arithmetic ms", "gradients ms", "not hidden ms", "states ms",
               "efficiency", "sent MB", "ring attention MB", "memory MB"},
              0);
  const auto step_tokens =
      static_cast<double>(recipe.train.batch_size * recipe.train.accumulation * recipe.train.sequence_length);
  for (int64_t n = stretches;; n = std::min(2 * n, ranks)) {
    const train::StepCosts costs = step_costs(recipe, n, machine);
    table.add({std::to_string(n), fixed(step_tokens / costs.seconds(), 0), milliseconds(costs.compute),
               milliseconds(costs.gradients), milliseconds(costs.not_hidden), milliseconds(costs.states),
               fixed(100 * costs.efficiency(), 1) + " %", megabytes(costs.gradient_bytes + costs.state_bytes),
               stretches > 1 ? megabytes(costs.ring_attention_bytes) : "-",
               megabytes(static_cast<double>(costs.memory))});
    if (n == ranks) break;
  }
  return "A step at " + fixed(machine.rate / 1e9, 1) + " GFLOP/s a rank, " + fixed(machine.link / 1e9, 2) +
         " GB/s a link, " + fixed(1e6 * machine.latency, 0) + " microseconds a message\n\n" + table.text();
}

}  // namespace cosformer::cli
