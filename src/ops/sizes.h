#pragma once

#include <c10/core/SymInt.h>
#include <c10/util/SmallVector.h>

#include <optional>
#include <utility>

#include "ops/call.h"

/// Checks of one tensor. Sizes are compared as SymInt, so that they serve real tensors, Meta tensors and
/// traces with symbolic sizes.
namespace cosformer::ops {

/// One size that a tensor must have: a number, or any, shown by its symbol.
struct Size {
  Size(const char* name) : symbol(name) {}
  Size(c10::SymInt number) : size(std::move(number)) {}

  const char* symbol = nullptr;
  std::optional<c10::SymInt> size;
};
using Sizes = c10::SmallVector<Size, 5>;

/// The tensor that fixes the sizes of another.
struct Because {
  const char* name;
  const Tensor& tensor;
};

/// @throws ValueError "<op>: <name> must be <sizes> as <because> is ..., got ..."
void check_sizes(const Call& call, const char* name, const Tensor& tensor, const Sizes& sizes,
                 std::optional<Because> because = {});

/// @throws TypeError for another dtype, ValueError for another device than that of `reference`
void check_type(const Call& call, const char* name, const Tensor& tensor, at::ScalarType dtype,
                const Because& reference);

/// Whether two sizes are equal; a trace takes it that they are.
bool equal(const c10::SymInt& a, const c10::SymInt& b);

}  // namespace cosformer::ops
