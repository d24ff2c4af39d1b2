#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

namespace cosformer::train {

/// Ranks cannot work together, or no longer: the message names the rank, its host and step, or the address
/// that does not answer.
class RankError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// This process's place among the processes of one run, as whoever started them says.
struct RankEnvironment {
  int64_t rank = 0, count = 1;
  int64_t local_rank = 0, local_count = 1;  ///< among those on this host
  std::string address = "127.0.0.1";        ///< where the store listens: rank 0's host
  uint16_t port = 0;
  bool has_agent_store = false;  ///< whether the store is the launcher's own; else rank 0 opens it
  int64_t attempt = 0;           ///< how often the launcher has started all ranks anew
  std::optional<int> listener;   ///< of rank 0: a listening socket for the store, inherited
};

/// A variable's value, or null.
using Lookup = std::function<const char*(const char*)>;

/// What the environment says, in this order:
///   torchrun, `train --ranks`:  RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE
///   Open MPI:                   OMPI_COMM_WORLD_{RANK, SIZE, LOCAL_RANK, LOCAL_SIZE}
///   MPICH, Intel MPI:           PMI_RANK, PMI_SIZE, MPI_LOCALRANKID, MPI_LOCALNRANKS
///   Slurm's srun:               SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID, SLURM_STEP_TASKS_PER_NODE
/// The store's address is MASTER_ADDR and MASTER_PORT (29400 if not given). Without MASTER_ADDR it is the
/// first host of Slurm's list, or this one where all ranks run here.
/// @return none for a process that no launcher has started; for one that has no others, a rank with a store
/// of its own at a free port
/// @throws RankError naming the variable
std::optional<RankEnvironment> rank_environment(const Lookup& lookup);

/// Of this process.
std::optional<RankEnvironment> rank_environment();

}  // namespace cosformer::train
