#pragma once

#include "ops/arguments.h"

/// Bodies of every operator that lets queries look at keys: whole, packed and stateful.
namespace cosformer::ops {

void fill_attention(const Call& call, const Shape& shape);
void fill_attention_gradients(const Call& call, const Shape& shape);

}  // namespace cosformer::ops
