#include "train/machine.h"

#include <sys/resource.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "cosformer/isa.h"

namespace cosformer::train {

nlohmann::ordered_json machine_json(const Recipe& recipe) {
  return {{"processor", processor_name()},
          {"level", name(selected_isa())},
          {"libtorch", TORCH_VERSION},
          {"threads", recipe.threads},
          {"device", recipe.train.device}};
}

int64_t peak_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

}  // namespace cosformer::train
