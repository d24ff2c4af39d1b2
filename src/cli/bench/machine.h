#pragma once

#include <nlohmann/json.hpp>

namespace cosformer::cli {

/// Version, commit, processor, instruction sets, LibTorch, compiler and threads: what a measured number needs
/// beside it.
nlohmann::json machine_json(int threads);

}  // namespace cosformer::cli
