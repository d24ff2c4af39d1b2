#include "cli/bench/verbs.h"
#include "cli/verbs.h"

namespace cosformer::cli {

void add_bench(CLI::App& app) {
  auto* bench = app.add_subcommand("bench", "measure speed and memory");
  bench->require_subcommand(1);
  add_attention(*bench);
  add_compare(*bench);
  add_step(*bench);
  add_training(*bench);
}

}  // namespace cosformer::cli
