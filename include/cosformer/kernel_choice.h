#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cosformer/bfloat16.h"
#include "cosformer/isa.h"

/// Which of the kernels that were compiled run on this machine, and why not the others.
namespace cosformer {

/// The sets that this build has kernels for, ascending.
COSFORMER_API std::vector<Isa> compiled_isas();

/// Why this process cannot use the set, such as "the processor lacks it"; empty where it can.
COSFORMER_API std::string unavailable_because(Isa isa);

/// The set whose kernels serve T, float or bfloat16, where a call asks for `isa`: the best at or below it
/// that has its own for T. None asked for: the fastest for T at or below selected_isa().
template <class T>
Isa kernel_isa(std::optional<Isa> isa = {});
template <>
COSFORMER_API Isa kernel_isa<float>(std::optional<Isa> isa);
template <>
COSFORMER_API Isa kernel_isa<bfloat16>(std::optional<Isa> isa);

}  // namespace cosformer
