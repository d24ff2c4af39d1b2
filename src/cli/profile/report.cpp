#include "cli/profile/report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/table.h"

namespace cosformer::cli {
namespace {

constexpr std::size_t kOperators = 12;

double share(int64_t part, int64_t all) {
  return 100 * static_cast<double>(part) / static_cast<double>(all);
}

std::string parts_table(const std::array<int64_t, kParts>& times, const ProfileFacts& facts) {
  const int64_t all = std::reduce(times.begin(), times.end());
  Table table({"part", "ms a step", "share", "GFLOP a step", "GFLOP/s", "of peak"}, 1);
  const auto add = [&](std::string_view part, int64_t nanoseconds, double operations) {
    const double seconds = static_cast<double>(nanoseconds) / 1e9 / static_cast<double>(facts.steps);
    std::vector<std::string> cells = {std::string(part), fixed(seconds * 1e3, 2),
                                      fixed(share(nanoseconds, all), 1) + " %"};
    if (operations > 0) {
      const double rate = operations / seconds;
      cells.insert(cells.end(), {fixed(operations / 1e9, 2), fixed(rate / 1e9, 1)});
      if (facts.peak > 0) cells.push_back(fixed(100 * rate / facts.peak, 1) + " %");
    }
    table.add(std::move(cells));
  };
  const nn::Operations& o = facts.operations;
  for (std::size_t i = 0; i < kParts; ++i) {
    const auto part = static_cast<Part>(i);
    add(name(part), times[i],
        part == Part::attention         ? o.attention
        : part == Part::matrix_products ? o.projections + o.ffn + o.head
                                        : 0);
  }
  add("step", all, o.total());
  return table.text();
}

std::string operators_table(const std::vector<PlacedEvent>& events, const ProfileFacts& facts, int64_t all) {
  struct Sum {
    int64_t nanoseconds = 0, calls = 0;
  };
  std::map<std::pair<std::string, Part>, Sum> sums;
  for (const PlacedEvent& place : events) {
    if (!place.in_step || place.event.thread != facts.thread) continue;
    Sum& sum = sums[{place.event.name, place.part}];
    sum.nanoseconds += place.own_nanoseconds;
    ++sum.calls;
  }
  std::vector<std::pair<std::pair<std::string, Part>, Sum>> sorted(sums.begin(), sums.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.nanoseconds > b.second.nanoseconds; });
  sorted.resize(std::min(sorted.size(), kOperators));
  Table table({"operator", "part", "ms a step", "share", "calls a step"}, 2);
  const auto steps = static_cast<double>(facts.steps);
  for (const auto& [key, sum] : sorted) {
    table.add({key.first == kStepEvent ? "between operators" : key.first, std::string(name(key.second)),
               fixed(static_cast<double>(sum.nanoseconds) / 1e6 / steps, 2),
               fixed(share(sum.nanoseconds, all), 1) + " %",
               fixed(static_cast<double>(sum.calls) / steps, 0)});
  }
  return table.text();
}

}  // namespace

double percent_outside(const std::array<int64_t, kParts>& times) {
  const int64_t all = std::reduce(times.begin(), times.end());
  int64_t inside = 0;
  for (const Part part : {Part::matrix_products, Part::attention, Part::loss})
    inside += times[static_cast<std::size_t>(part)];
  return share(all - inside, all);
}

std::string profile_table(const std::vector<PlacedEvent>& events, const ProfileFacts& facts) {
  const auto times = part_times(events, facts.thread);
  return parts_table(times, facts) + "\nOutside matrix products, attention and the softmax of the loss: " +
         fixed(percent_outside(times), 1) + " %\n\n" +
         operators_table(events, facts, std::reduce(times.begin(), times.end()));
}

std::string trace_json(const std::vector<PlacedEvent>& events, uint64_t thread) {
  const auto name_of = [&](const char* what, uint64_t number, const std::string& text) {
    return nlohmann::ordered_json{
        {"ph", "M"}, {"name", what}, {"pid", 1}, {"tid", number}, {"args", {{"name", text}}}};
  };
  nlohmann::ordered_json list = {name_of("process_name", thread, "cosformer"),
                                 name_of("thread_name", thread, "trainer")};
  for (const PlacedEvent& place : events) {
    list.push_back({{"ph", "X"},
                    {"name", place.event.name},
                    {"cat", name(place.part)},
                    {"pid", 1},
                    {"tid", place.event.thread},
                    {"ts", static_cast<double>(place.event.begin) / 1e3},
                    {"dur", static_cast<double>(place.event.end - place.event.begin) / 1e3}});
  }
  return nlohmann::ordered_json{{"displayTimeUnit", "ms"}, {"traceEvents", list}}.dump() + "\n";
}

}  // namespace cosformer::cli
