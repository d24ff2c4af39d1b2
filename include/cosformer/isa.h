#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cosformer/error.h"

namespace cosformer {

/// Instruction sets that kernels are compiled for, from the least to the most demanding.
enum class Isa { generic, avx2, avx512, avx512_bf16, amx };

COSFORMER_API const char* name(Isa isa);

/// @throws DeviceError naming the known sets if `text` is none of them.
COSFORMER_API Isa parse_isa(std::string_view text);

/// Whether this processor and operating system can run the set (cpuid and XCR0).
COSFORMER_API bool available(Isa isa);

/// The sets that this machine can run, ascending.
COSFORMER_API std::vector<Isa> available_isas();

/// The best set this machine can run, or the one that the environment variable COSFORMER_ISA names as an
/// upper bound. Read once; without that variable isa_note() is then said, to the standard error stream.
/// @throws DeviceError if COSFORMER_ISA names an unknown set or one that this machine lacks.
COSFORMER_API Isa selected_isa();

/// Why a set that the processor has cannot be used; empty where there is nothing to say.
COSFORMER_API std::string isa_note();

/// The processor's name as the operating system reports it, "unknown" where it does not.
COSFORMER_API std::string processor_name();

}  // namespace cosformer
