#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace cosformer::cli {

/// --device=cpu|cuda, of a verb that takes a run's folder; empty: the device of its training.
inline void add_device(CLI::App& verb, std::string& device) {
  verb.add_option("--device", device, "cpu or cuda, where it is not the training's")
      ->check(CLI::IsMember({"cpu", "cuda"}));
}

}  // namespace cosformer::cli
