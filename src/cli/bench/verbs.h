#pragma once

#include <CLI/CLI.hpp>

namespace cosformer::cli {

/// Verbs below `bench`.
void add_attention(CLI::App& bench);
void add_compare(CLI::App& bench);
void add_step(CLI::App& bench);
void add_training(CLI::App& bench);

}  // namespace cosformer::cli
