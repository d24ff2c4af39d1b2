#include "ops/arguments.h"

#include <cmath>
#include <initializer_list>
#include <sstream>

namespace cosformer::ops {
namespace {

/// One size that a tensor must have: a number, or any, shown by its symbol.
struct Size {
  Size(const char* name) : symbol(name) {}
  Size(c10::SymInt number) : size(std::move(number)) {}

  const char* symbol = nullptr;
  std::optional<c10::SymInt> size;
};

bool equal(const c10::SymInt& a, const c10::SymInt& b) {
  return a.sym_eq(b).expect_true(__FILE__, __LINE__);
}

bool fits(const at::Tensor& tensor, std::initializer_list<Size> sizes) {
  if (tensor.dim() != static_cast<int64_t>(sizes.size())) return false;
  int64_t dim = 0;
  for (const auto& expected : sizes) {
    if (expected.size && !equal(tensor.sym_size(dim), *expected.size)) return false;
    ++dim;
  }
  return true;
}

std::string text(std::initializer_list<Size> sizes) {
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

void check_dense(const char* op, const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_VALUE(tensor.layout() == at::kStrided, op, ": ", name, " must be a strided tensor, got layout ",
                    tensor.layout());
}

/// `because` names the tensor that fixes the expected sizes, null where none does.
void check_sizes(const char* op, const char* name, const at::Tensor& tensor,
                 std::initializer_list<Size> sizes, const char* because, const at::Tensor& reference) {
  check_dense(op, name, tensor);
  if (fits(tensor, sizes)) return;
  std::ostringstream reason;
  if (because) reason << " as " << because << " is " << reference.sym_sizes();
  TORCH_CHECK_VALUE(false, op, ": ", name, " must be ", text(sizes), reason.str(), ", got ",
                    tensor.sym_sizes());
}

void check_type(const char* op, const char* name, const at::Tensor& tensor, at::ScalarType dtype,
                const at::Tensor& query) {
  TORCH_CHECK_TYPE(tensor.scalar_type() == dtype, op, ": ", name, " must be ", dtype, ", got ",
                   tensor.scalar_type());
  TORCH_CHECK_VALUE(tensor.device() == query.device(), op, ": ", name, " must be on ", query.device(),
                    " as query is, got ", tensor.device());
}

FeatureMap parse_feature_map(const char* op, std::string_view name) {
  if (name == "relu") return FeatureMap::relu;
  if (name == "identity") return FeatureMap::identity;
  TORCH_CHECK_VALUE(false, op, ": feature_map must be \"relu\" or \"identity\", got \"", name, "\"");
}

void check_within_horizon(const char* op, const c10::SymInt& length, const Options& options) {
  if (!options.horizon) return;
  TORCH_CHECK_VALUE(length.sym_le(*options.horizon).expect_true(__FILE__, __LINE__), op,
                    ": positions must stay below horizon = ", *options.horizon, ", got a length of ", length);
}

c10::SymInt states(const Options& options) {
  return options.horizon ? 2 : 1;
}

}  // namespace

AttentionOptions kernel_options(const char* op, const Options& options) {
  AttentionOptions kernel;
  kernel.horizon = options.horizon;
  kernel.causal = options.causal;
  kernel.feature_map = parse_feature_map(op, options.feature_map);
  kernel.eps = static_cast<float>(options.eps);
  return kernel;
}

void check_supported(const char* op, const std::optional<at::Tensor>& query_padding_mask,
                     const std::optional<at::Tensor>& key_padding_mask,
                     const std::optional<at::Tensor>& decay, bool normalize) {
  const auto absent = [](const std::optional<at::Tensor>& tensor) { return !tensor || !tensor->defined(); };
  TORCH_CHECK(absent(query_padding_mask) && absent(key_padding_mask), op,
              ": padding masks are not supported yet, expected None, got a mask");
  TORCH_CHECK(absent(decay), op, ": decay is not supported yet, expected None, got a tensor");
  TORCH_CHECK(normalize, op, ": normalize = False is not supported yet, expected True");
}

void check_attention(const char* op, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const Options& options) {
  check_sizes(op, "query", query, {"B", "Tq", "H", "K"}, nullptr, query);
  const auto dtype = query.scalar_type();
  TORCH_CHECK_TYPE(dtype == at::kFloat || dtype == at::kDouble, op,
                   ": query must be Float or Double (others are not supported yet), got ", dtype);
  const auto B = query.sym_size(0), Tq = query.sym_size(1), H = query.sym_size(2), K = query.sym_size(3);
  check_sizes(op, "key", key, {B, "Tk", "G", K}, "query", query);
  const auto Tk = key.sym_size(1), G = key.sym_size(2);
  TORCH_CHECK_VALUE(equal(G, H), op, ": grouped heads (G unlike H) are not supported yet, expected key with ",
                    H, " heads as query has, got ", G);
  check_sizes(op, "value", value, {B, Tk, G, "V"}, "key", key);
  check_type(op, "key", key, dtype, query);
  check_type(op, "value", value, dtype, query);

  TORCH_CHECK_VALUE(!options.causal || equal(Tq, Tk), op,
                    ": causal needs as many queries as keys, got Tq = ", Tq, ", Tk = ", Tk);
  const auto eps = static_cast<float>(options.eps);
  TORCH_CHECK_VALUE(std::isfinite(eps) && eps > 0, op, ": eps must be finite and > 0 in float32, got ",
                    options.eps);
  TORCH_CHECK_VALUE(!options.horizon || *options.horizon >= 1, op, ": horizon must be >= 1 or None, got ",
                    options.horizon.value_or(0));
  parse_feature_map(op, options.feature_map);
  check_within_horizon(op, Tq, options);
  check_within_horizon(op, Tk, options);
}

void check_state(const char* op, const at::Tensor& query, const at::Tensor& value, const at::Tensor& S,
                 const at::Tensor& z, const at::Tensor& position, const Options& options) {
  const auto B = query.sym_size(0), H = query.sym_size(2), K = query.sym_size(3), V = value.sym_size(3);
  const auto N = states(options);
  check_sizes(op, "S", S, {B, H, N, K, V}, "query", query);
  check_sizes(op, "z", z, {B, H, N, K}, "query", query);
  check_sizes(op, "position", position, {B}, "query", query);
  check_type(op, "S", S, query.scalar_type(), query);
  check_type(op, "z", z, query.scalar_type(), query);
  check_type(op, "position", position, at::kLong, query);
}

void check_one_token(const char* op, const at::Tensor& query) {
  TORCH_CHECK_VALUE(equal(query.sym_size(1), 1), op,
                    ": query must hold one token a sequence, got Tq = ", query.sym_size(1));
}

void check_results(const char* op, const at::Tensor& query, const at::Tensor& value, const at::Tensor& output,
                   const at::Tensor& denominator, const std::optional<at::Tensor>& d_output) {
  const auto B = query.sym_size(0), Tq = query.sym_size(1), H = query.sym_size(2), V = value.sym_size(3);
  check_sizes(op, "output", output, {B, Tq, H, V}, "query", query);
  check_sizes(op, "denominator", denominator, {B, Tq, H}, "query", query);
  check_type(op, "output", output, query.scalar_type(), query);
  check_type(op, "denominator", denominator, query.scalar_type(), query);
  if (d_output) {
    check_sizes(op, "d_output", *d_output, {B, Tq, H, V}, "query", query);
    check_type(op, "d_output", *d_output, query.scalar_type(), query);
  }
}

}  // namespace cosformer::ops
