#include "cli/describe_cpu.h"

#include <algorithm>

#include "cli/table.h"
#include "cosformer/kernel_choice.h"

namespace cosformer::cli {
namespace {

std::string chosen_for(Isa isa) {
  std::string dtypes;
  if (isa == kernel_isa<float>()) dtypes = "float32";
  if (isa == kernel_isa<bfloat16>()) dtypes += dtypes.empty() ? "bfloat16" : " and bfloat16";
  return dtypes.empty() ? "-" : dtypes;
}

}  // namespace

std::string describe_cpu() {
  const std::vector<Isa> compiled = compiled_isas();
  Table table({"instruction set", "kernels", "chosen for", "on this machine"}, 4);
  for (const Isa isa : {Isa::generic, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx}) {
    const bool is_compiled = std::find(compiled.begin(), compiled.end(), isa) != compiled.end();
    const std::string reason = unavailable_because(isa);
    table.add({name(isa), is_compiled ? "compiled in" : "not compiled in", chosen_for(isa),
               reason.empty() ? "available" : "not available: " + reason});
  }
  return processor_name() + "\n" + table.text();
}

}  // namespace cosformer::cli
