#include "ops/sizes.h"

#include <c10/util/Exception.h>

#include <sstream>

namespace cosformer::ops {
namespace {

bool fits(const Tensor& tensor, const Sizes& sizes) {
  if (tensor.dim() != static_cast<int64_t>(sizes.size())) return false;
  int64_t dim = 0;
  for (const auto& expected : sizes) {
    if (expected.size && !equal(tensor.sym_size(dim), *expected.size)) return false;
    ++dim;
  }
  return true;
}

std::string text(const Sizes& sizes) {
  std::ostringstream out;
  const char* separator = "[";
  for (const auto& size : sizes) {
    out << separator;
    size.size ? out << *size.size : out << size.symbol;
    separator = ", ";
  }
  out << "]";
  return out.str();
}

}  // namespace

bool equal(const c10::SymInt& a, const c10::SymInt& b) {
  return a.sym_eq(b).expect_true(__FILE__, __LINE__);
}

void check_sizes(const Call& call, const char* name, const Tensor& tensor, const Sizes& sizes,
                 std::optional<Because> because) {
  TORCH_CHECK_VALUE(tensor.layout() == at::kStrided, call.name, ": ", name,
                    " must be a strided tensor, got layout ", tensor.layout());
  if (fits(tensor, sizes)) return;
  std::ostringstream reason;
  if (because) reason << " as " << because->name << " is " << because->tensor.sym_sizes();
  TORCH_CHECK_VALUE(false, call.name, ": ", name, " must be ", text(sizes), reason.str(), ", got ",
                    tensor.sym_sizes());
}

void check_type(const Call& call, const char* name, const Tensor& tensor, at::ScalarType dtype,
                const Because& reference) {
  TORCH_CHECK_TYPE(tensor.scalar_type() == dtype, call.name, ": ", name, " must be ", dtype, ", got ",
                   tensor.scalar_type());
  TORCH_CHECK_VALUE(tensor.device() == reference.tensor.device(), call.name, ": ", name, " must be on ",
                    reference.tensor.device(), " as ", reference.name, " is, got ", tensor.device());
}

}  // namespace cosformer::ops
