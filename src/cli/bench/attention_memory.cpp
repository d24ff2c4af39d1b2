#include <ATen/Parallel.h>
#include <malloc.h>

#include <fstream>
#include <string>

#include "cli/bench/attention.h"
#include "cli/bench/contender.h"
#include "cosformer/error.h"

namespace cosformer::cli {
namespace {

/// A line of /proc/self/status, such as "VmHWM:   1234 kB", in bytes.
int64_t status_bytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  throw IoError("/proc/self/status: expected a line " + key + ", got none");
}

/// Lets the peak of resident memory begin again from what is resident now.
void reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  if (!file) throw IoError("/proc/self/clear_refs: cannot be written, so peak memory cannot be measured");
}

}  // namespace

nlohmann::json bench_attention_memory(int64_t T, int64_t heads, int64_t width, int threads) {
  at::set_num_threads(threads);
  const Contender contender = operator_contender();
  contender.run(make_case(64, heads, width, Mask::causal),
                true);  // threads and tables of the runtime exist from here on
  const AttentionCase c = make_case(T, heads, width, Mask::causal);
  const int64_t tensor = c.query.numel() * c.query.element_size();
  malloc_trim(0);  // memory that is resident but free would hide what is taken now
  reset_peak();
  const int64_t before = status_bytes("VmRSS");
  const AttentionPasses passes = contender.run(c, true);
  const int64_t beyond = status_bytes("VmHWM") - before - 4 * tensor;  // output and three gradients
  const int64_t inputs = 3 * tensor;
  return {{"T", T},
          {"heads", heads},
          {"width", width},
          {"threads", threads},
          {"inputs_bytes", inputs},
          {"beyond_bytes", beyond},
          {"limit_bytes", inputs / 10 + 64'000'000}};
}

}  // namespace cosformer::cli
