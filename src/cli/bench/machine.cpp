#include "cli/bench/machine.h"

#include <torch/version.h>

#include "cosformer/kernel_choice.h"
#include "io/build_info.h"

namespace cosformer::cli {

nlohmann::json machine_json(int threads) {
  nlohmann::json levels = nlohmann::json::array();
  for (const Isa isa : available_isas()) levels.push_back(name(isa));
  return {{"version", io::version()},
          {"commit", io::commit()},
          {"processor", processor_name()},
          {"level", name(selected_isa())},
          {"available_levels", levels},
          {"kernels", {{"float32", name(kernel_isa<float>())}, {"bfloat16", name(kernel_isa<bfloat16>())}}},
          {"threads", threads},
          {"libtorch", TORCH_VERSION},
          {"compiler", "g++ " __VERSION__}};
}

}  // namespace cosformer::cli
