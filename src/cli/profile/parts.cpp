#include "cli/profile/parts.h"

#include <algorithm>
#include <tuple>

namespace cosformer::cli {
namespace {

struct Rule {
  std::string_view prefix;  ///< of the operator's name
  Part part;
};

// The first that fits counts. "cosformer::" names are own operators and the stretches that nn and train mark.
constexpr Rule kRules[] = {
    {"aten::embedding", Part::embedding},
    {"cosformer::head_loss", Part::loss},
    {"cosformer::optimizer", Part::optimiser},
    {"cosformer::data", Part::data},
    {"cosformer::communication", Part::communication},
    {"c10d::", Part::communication},
    {"cosformer::attention", Part::attention},
    {"cosformer::_attention", Part::attention},
    {"aten::scaled_dot_product", Part::attention},
    {"aten::_scaled_dot_product", Part::attention},
    {"aten::layer_norm", Part::normalisation},
    {"aten::native_layer_norm", Part::normalisation},
    {"aten::rms_norm", Part::normalisation},
    {"aten::_fused_rms_norm", Part::normalisation},
    {"aten::mm", Part::matrix_products},
    {"aten::addmm", Part::matrix_products},
    {"aten::bmm", Part::matrix_products},
    {"aten::baddbmm", Part::matrix_products},
    {"aten::linear", Part::matrix_products},
    {"aten::matmul", Part::matrix_products},
    {"aten::mkldnn_linear", Part::matrix_products},
};

Part placed_part(const OperatorEvent& event, Part caller) {
  const std::optional<Part> own = part_of(event.name);
  if (caller == Part::other) return own.value_or(caller);
  return caller == Part::loss && own == Part::matrix_products ? *own : caller;
}

}  // namespace

std::string_view name(Part part) {
  constexpr std::string_view kNames[kParts] = {"embedding",     "attention",     "matrix products",
                                               "normalisation", "loss",          "optimiser",
                                               "data",          "communication", "other"};
  return kNames[static_cast<std::size_t>(part)];
}

std::optional<Part> part_of(std::string_view operator_name) {
  for (const Rule& rule : kRules) {
    if (operator_name.starts_with(rule.prefix)) return rule.part;
  }
  return std::nullopt;
}

std::vector<PlacedEvent> placed(std::vector<OperatorEvent> events) {
  std::stable_sort(events.begin(), events.end(), [](const OperatorEvent& a, const OperatorEvent& b) {
    // Of two that begin at once the longer one made the other.
    return std::tuple(a.thread, a.begin, -a.end) < std::tuple(b.thread, b.begin, -b.end);
  });
  std::vector<PlacedEvent> all;
  std::vector<std::size_t> open;  // the calls that the next event may be part of
  for (OperatorEvent& event : events) {
    while (!open.empty() &&
           (all[open.back()].event.thread != event.thread || all[open.back()].event.end < event.end)) {
      open.pop_back();
    }
    PlacedEvent place;
    place.own_nanoseconds = event.end - event.begin;
    place.in_step = event.name == kStepEvent;
    if (!open.empty()) {
      PlacedEvent& caller = all[open.back()];
      caller.own_nanoseconds -= place.own_nanoseconds;
      place.in_step = place.in_step || caller.in_step;
    }
    place.part = placed_part(event, open.empty() ? Part::other : all[open.back()].part);
    place.event = std::move(event);
    open.push_back(all.size());
    all.push_back(std::move(place));
  }
  return all;
}

std::array<int64_t, kParts> part_times(const std::vector<PlacedEvent>& events, uint64_t thread) {
  std::array<int64_t, kParts> times{};
  for (const PlacedEvent& place : events) {
    if (place.in_step && place.event.thread == thread) {
      times[static_cast<std::size_t>(place.part)] += place.own_nanoseconds;
    }
  }
  return times;
}

}  // namespace cosformer::cli
