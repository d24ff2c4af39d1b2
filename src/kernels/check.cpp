#include <cmath>
#include <string>

#include "cosformer/attention.h"

namespace cosformer {
namespace {

void require(bool good, const std::string& message) {
  if (!good) throw ShapeError("attention: " + message);
}

void require_size(const char* name, int64_t size) {
  require(size >= 0, std::string(name) + " must be >= 0, got " + std::to_string(size));
}

}  // namespace

void check(const AttentionShape& shape, const AttentionOptions& options, const int64_t* position) {
  const auto& s = shape;
  require_size("B", s.B);
  require_size("Tq", s.Tq);
  require_size("Tk", s.Tk);
  require_size("H", s.H);
  require_size("G", s.G);
  require_size("K", s.K);
  require_size("V", s.V);
  require(s.G == 0 ? s.H == 0 : s.H % s.G == 0,
          "H must be a multiple of G = " + std::to_string(s.G) + ", got H = " + std::to_string(s.H));
  require(!options.causal || s.Tq == s.Tk, "causal needs as many queries as keys, got Tq = " +
                                               std::to_string(s.Tq) + ", Tk = " + std::to_string(s.Tk));
  require(std::isfinite(options.eps) && options.eps > 0,
          "eps must be finite and > 0, got " + std::to_string(options.eps));
  require(!options.horizon || *options.horizon >= 1,
          "horizon must be >= 1 or none, got " + std::to_string(options.horizon.value_or(0)));
  const int64_t length = s.Tq > s.Tk ? s.Tq : s.Tk;
  for (int64_t b = 0; b < s.B; ++b) {
    const int64_t first = position ? position[b] : 0;
    require(first >= 0,
            "position must be >= 0, got " + std::to_string(first) + " in row " + std::to_string(b));
    if (options.horizon && length > 0) {
      require(first <= *options.horizon - length,
              "position must stay below horizon = " + std::to_string(*options.horizon) + ", got position " +
                  std::to_string(first + (length - 1)) + (position ? " in row " + std::to_string(b) : ""));
    }
    if (!position) break;
  }
}

}  // namespace cosformer
