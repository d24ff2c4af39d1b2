#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

/// LibTorch's layers by name alone: their headers cost seconds in every file that reads them, so only the
/// files that build or call a layer do.
namespace torch::nn {
class EmbeddingImpl;
class LayerNormImpl;
class LinearImpl;
class ModuleListImpl;
}  // namespace torch::nn
