#include "cosformer/isa.h"

#include "cosformer/kernel_choice.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace cosformer {
namespace {

constexpr std::array kAll = {Isa::generic, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx};

std::string list(const std::vector<Isa>& sets) {
  std::string text;
  for (const Isa isa : sets) text += (text.empty() ? "" : ", ") + std::string(name(isa));
  return text;
}

#if defined(COSFORMER_EMULATE_AMX)

bool has_tiles() {
  return true;
}

bool request_tiles() {
  return !std::getenv("COSFORMER_REFUSE_TILES");
}

#elif defined(__x86_64__)

/// Whether the processor has matrix tiles of bfloat16 and the system saves them, by cpuid and XCR0.
bool has_tiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx >> 27 & 1U) == 0) return false;  // OSXSAVE
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  const bool bf16 = (edx >> 22 & 1U) != 0, tile = (edx >> 24 & 1U) != 0;
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr uint32_t kTileState = 3U << 17;
  return bf16 && tile && (low & kTileState) == kTileState;
}

/// Linux gives a process tiles on request alone.
bool request_tiles() {
  constexpr long kArchReqXcompPerm = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
}

#else

bool has_tiles() {
  return false;
}

bool request_tiles() {
  return false;
}

#endif

bool tiles_are_permitted() {
  static const bool permitted = has_tiles() && request_tiles();
  return permitted;
}

Isa select_from_environment() {
  const auto sets = available_isas();
  const char* wanted = std::getenv("COSFORMER_ISA");
  if (!wanted || !*wanted) {
    if (const std::string note = isa_note(); !note.empty())
      std::fprintf(stderr, "cosformer: %s\n", note.c_str());
    return sets.back();
  }
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
    case Isa::amx:
      return "amx";
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
  if (isa == Isa::amx) return available(Isa::avx512_bf16) && tiles_are_permitted();
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

std::string isa_note() {
  if (!has_tiles() || tiles_are_permitted()) return "";
  return "the system refuses this process AMX's tiles (arch_prctl); bfloat16 goes without them";
}

std::vector<Isa> compiled_isas() {
#if defined(__x86_64__)
  return {kAll.begin(), kAll.end()};
#else
  return {Isa::generic};
#endif
}

std::string unavailable_because(Isa isa) {
  if (available(isa)) return "";
  if (isa == Isa::amx && has_tiles()) return isa_note();
  const auto compiled = compiled_isas();
  if (std::find(compiled.begin(), compiled.end(), isa) == compiled.end()) return "not compiled in";
  return "the processor lacks it, or the system does not save its registers";
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace cosformer
