#pragma once

#include <CLI/CLI.hpp>

/// Each verb registers its subcommand, with a callback that does the work and throws what goes wrong.
namespace cosformer::cli {

void add_bench(CLI::App& app);
void add_data(CLI::App& app);
void add_describe(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_generate(CLI::App& app);
void add_plot(CLI::App& app);
void add_profile(CLI::App& app);
void add_train(CLI::App& app);

}  // namespace cosformer::cli
