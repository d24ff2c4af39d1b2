#pragma once

#include <CLI/CLI.hpp>
#include <map>

#include "cosformer/nn/model_folder.h"

namespace cosformer::cli {

/// --weights=last|best
inline void add_weights(CLI::App& verb, nn::Weights& weights) {
  static const std::map<std::string, nn::Weights> names = {{"last", nn::Weights::kLast},
                                                           {"best", nn::Weights::kBest}};
  verb.add_option("--weights", weights, "last: of the last step; best: of the lowest validation loss")
      ->transform(CLI::Transformer(names, CLI::ignore_case).description("last|best"))
      ->check(CLI::IsMember({"0", "1"}).description(""))
      ->default_str("best");
}

}  // namespace cosformer::cli
