#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/profile/event.h"

/// Which part of a training step an operator belongs to.
namespace cosformer::cli {

enum class Part {
  embedding,
  attention,
  matrix_products,
  normalisation,
  loss,  ///< without its matrix products
  optimiser,
  data,
  communication,
  other,  ///< activations, residual sums, dropout, biases' gradients, what runs between operators
};
inline constexpr std::size_t kParts = 9;
std::string_view name(Part part);

/// By the operator's name alone; none where it serves several parts.
std::optional<Part> part_of(std::string_view operator_name);

/// An event with its place among the others of its thread.
struct PlacedEvent {
  OperatorEvent event;
  Part part = Part::other;
  int64_t own_nanoseconds = 0;  ///< without the calls that it made
  bool in_step = false;
};

/// By thread, then begin. A call belongs to the part of the one that made it, if that has one, else to that
/// of its own name; but a matrix product of the loss is a matrix product.
std::vector<PlacedEvent> placed(std::vector<OperatorEvent> events);

/// Nanoseconds of each part within the steps of one thread; their sum is the steps' time.
std::array<int64_t, kParts> part_times(const std::vector<PlacedEvent>& events, uint64_t thread);

}  // namespace cosformer::cli
