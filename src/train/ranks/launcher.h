#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace cosformer::train {

/// Runs a command as `count` ranks on this host, each with the environment that rank_environment reads, and
/// waits for them. SIGINT and SIGTERM go to all of them. When one has failed, the others are expected to end
/// by themselves; whoever has not after `patience` is killed. Ranks die with the launcher.
/// @param command program and arguments
/// @return 0 if all ranks gave 0; 3 if they gave nothing but 0 and 3 (stopped with a checkpoint); else 1
/// @throws RankError if a process cannot be started
int launch_ranks(const std::vector<std::string>& command, int64_t count, std::chrono::milliseconds patience);

}  // namespace cosformer::train
