#include "cosformer/isa.h"

#include <array>
#include <cstdlib>
#include <fstream>

namespace cosformer {
namespace {

constexpr std::array kAll = {Isa::generic, Isa::avx2, Isa::avx512, Isa::avx512_bf16};

std::string list(const std::vector<Isa>& sets) {
  std::string text;
  for (const Isa isa : sets) text += (text.empty() ? "" : ", ") + std::string(name(isa));
  return text;
}

Isa select_from_environment() {
  const auto sets = available_isas();
  const char* wanted = std::getenv("COSFORMER_ISA");
  if (!wanted || !*wanted) return sets.back();
  Isa isa{};
  try {
    isa = parse_isa(wanted);
  } catch (const DeviceError& error) {
    throw DeviceError(std::string("COSFORMER_ISA: ") + error.what());
  }
  if (!available(isa)) {
    throw DeviceError("COSFORMER_ISA: this machine lacks " + std::string(wanted) + "; it has " + list(sets));
  }
  return isa;
}

}  // namespace

const char* name(Isa isa) {
  switch (isa) {
    case Isa::generic:
      return "generic";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_bf16:
      return "avx512_bf16";
  }
  return "unknown";
}

Isa parse_isa(std::string_view text) {
  for (const Isa isa : kAll) {
    if (text == name(isa)) return isa;
  }
  throw DeviceError("instruction set must be one of " + list({kAll.begin(), kAll.end()}) + ", got '" +
                    std::string(text) + "'");
}

bool available(Isa isa) {
  if (isa == Isa::generic) return true;
#if defined(__x86_64__)
  // __builtin_cpu_supports asks cpuid and, for the registers that the system must save, XCR0.
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx512) {
    return available(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  }
  if (isa == Isa::avx512_bf16) return available(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
#endif
  return false;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> sets;
  for (const Isa isa : kAll) {
    if (available(isa)) sets.push_back(isa);
  }
  return sets;
}

Isa selected_isa() {
  static const Isa isa = select_from_environment();
  return isa;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace cosformer
