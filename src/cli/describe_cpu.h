#pragma once

#include <string>

namespace cosformer::cli {

/// The processor's name, then a line for each instruction set: whether kernels of it were compiled, whether
/// this process can run them and why not, and for which dtype they are chosen.
/// @throws DeviceError if COSFORMER_ISA names an unknown set or one that this machine lacks
std::string describe_cpu();

}  // namespace cosformer::cli
