#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cosformer/nn/model_folder.h"

namespace cosformer::cli {

/// --weights=last|best
inline void add_weights(CLI::App& verb, std::string& weights) {
  verb.add_option("--weights", weights, "last: of the last step; best: of the lowest validation loss")
      ->check(CLI::IsMember({"last", "best"}))
      ->capture_default_str();
}

inline nn::Weights which_weights(const std::string& name) {
  return name == "last" ? nn::Weights::kLast : nn::Weights::kBest;
}

}  // namespace cosformer::cli
