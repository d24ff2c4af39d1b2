#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace cosformer::cli {

/// Runs this program `count` times, one after another, with the arguments that it was given itself and
/// `--processes=1 --json=FILE` behind them and without --svg, and reads what each wrote to FILE. What they
/// say on stderr is heard, their stdout is not.
/// @throws std::runtime_error if one cannot be started or fails
std::vector<nlohmann::json> reports_of_processes(int count);

}  // namespace cosformer::cli
