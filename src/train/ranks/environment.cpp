#include "train/ranks/environment.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace cosformer::train {
namespace {

constexpr uint16_t kPort = 29400;

/// The variables of one launcher.
struct Names {
  const char *rank, *count, *local_rank, *local_count;
};
constexpr std::array kLaunchers = {
    Names{"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    Names{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
          "OMPI_COMM_WORLD_LOCAL_SIZE"},
    Names{"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
    Names{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"},
};

class Variables {
 public:
  explicit Variables(const Lookup& lookup) : lookup_(lookup) {}

  bool has(const char* name) const { return lookup_(name) != nullptr; }
  std::string text(const char* name) const {
    const char* value = lookup_(name);
    return value ? value : "";
  }

  /// @param otherwise where the variable is not set; none: it has to be
  int64_t number(const char* name, int64_t least, int64_t most,
                 std::optional<int64_t> otherwise = std::nullopt) const {
    if (!has(name) && otherwise) return *otherwise;
    const std::string value = text(name);
    // Slurm writes "2(x3),1": the first host's number counts, as the ranks are dealt out in order.
    const std::size_t end = std::min(value.size(), value.find_first_of("(,"));
    int64_t number = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + end, number);
    if (error != std::errc() || stop != value.data() + end || number < least || number > most) {
      throw RankError(std::string(name) + ": expected an integer from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", got " + (has(name) ? '"' + value + '"' : "none"));
    }
    return number;
  }

 private:
  const Lookup& lookup_;
};

/// "node[07-09,11],login" begins with node07.
std::string first_host(const std::string& list) {
  const std::size_t bracket = list.find('['), comma = list.find(',');
  if (bracket == std::string::npos || comma < bracket) return list.substr(0, comma);
  const std::string numbers = list.substr(bracket + 1);
  return list.substr(0, bracket) + numbers.substr(0, numbers.find_first_of(",-]"));
}

}  // namespace

std::optional<RankEnvironment> rank_environment(const Lookup& lookup) {
  const Variables variables(lookup);
  for (const Names& names : kLaunchers) {
    if (!variables.has(names.rank) || !variables.has(names.count)) continue;
    constexpr int64_t kMost = 1 << 20;
    RankEnvironment result;
    result.count = variables.number(names.count, 1, kMost);
    if (result.count == 1) return result;
    result.rank = variables.number(names.rank, 0, result.count - 1);
    result.local_rank = variables.number(names.local_rank, 0, result.count - 1, 0);
    result.local_count = variables.number(names.local_count, 1, kMost, 1);
    result.port = static_cast<uint16_t>(variables.number("MASTER_PORT", 1, 65535, kPort));
    const std::string slurm = first_host(variables.text("SLURM_STEP_NODELIST"));
    if (const std::string address = variables.text("MASTER_ADDR"); !address.empty()) {
      result.address = address;
    } else if (std::string_view(names.rank) == "SLURM_PROCID" && !slurm.empty()) {
      result.address = slurm;
    } else if (result.local_count != result.count) {
      throw RankError("MASTER_ADDR: expected the address of rank 0's host, got none");
    }
    result.has_agent_store = variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
    result.attempt = variables.number("TORCHELASTIC_RESTART_COUNT", 0, kMost, 0);
    if (result.rank == 0 && variables.has("COSFORMER_LISTENER"))
      result.listener = static_cast<int>(variables.number("COSFORMER_LISTENER", 0, kMost));
    return result;
  }
  return std::nullopt;
}

std::optional<RankEnvironment> rank_environment() {
  return rank_environment([](const char* name) { return std::getenv(name); });
}

}  // namespace cosformer::train
