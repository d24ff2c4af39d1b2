#include <algorithm>

#include "cli/bench/compare.h"
#include "cli/table.h"
#include "io/chart.h"
#include "io/xml_text.h"

namespace cosformer::cli {
namespace {

constexpr std::size_t kSampleWidth = 96;

std::string indented(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    for (const std::string& line : io::wrapped(text.substr(at, end - at), kSampleWidth))
      result += "    " + line + "\n";
    at = end + 1;
  }
  return result;
}

}  // namespace

std::string compare_table(const std::vector<ModelReport>& models, const std::string& prompt) {
  std::vector<std::string> titles = {"model", "valid bits/byte", "train tokens/s", "peak memory"};
  for (const auto& [length, ms] : models.front().forward_milliseconds) {
    titles.push_back("T = " + io::readable_number(static_cast<double>(length), 1));
  }
  Table table(titles, 1);
  for (const ModelReport& m : models) {
    std::vector<std::string> cells = {m.model, fixed(m.valid_bits_per_byte, 4),
                                      io::readable_number(m.train_tokens_per_second, 1),
                                      fixed(static_cast<double>(m.peak_bytes) / 1e6, 0) + " MB"};
    for (const auto& [length, ms] : m.forward_milliseconds) cells.push_back(fixed(ms, 2) + " ms");
    table.add(cells);
  }
  std::string text =
      table.text() +
      "\nT = n: one attention layer of the model's width over n tokens, forward, random weights\n";
  for (const ModelReport& m : models) {
    text += "\n" + m.model + " continues \"" + io::valid_text(prompt) + "\":\n\n" +
            indented(io::valid_text(prompt + m.sample));
  }
  return text;
}

nlohmann::json compare_json(const std::vector<ModelReport>& models) {
  nlohmann::json list = nlohmann::json::array();
  for (const ModelReport& m : models) {
    nlohmann::json milliseconds = nlohmann::json::object();
    for (const auto& [length, ms] : m.forward_milliseconds) milliseconds[std::to_string(length)] = ms;
    list.push_back({{"model", m.model},
                    {"valid_bits_per_byte", m.valid_bits_per_byte},
                    {"train_tokens_per_second", m.train_tokens_per_second},
                    {"peak_bytes", m.peak_bytes},
                    {"forward_milliseconds", milliseconds}});
  }
  return list;
}

std::string compare_time_chart(const std::vector<ModelReport>& models, const std::string& note) {
  io::Chart chart;
  chart.title = "One attention layer: time against length";
  chart.note = note;
  chart.x_title = "sequence length (tokens)";
  chart.y_title = "milliseconds, forward";
  chart.x_scale = io::Scale::log2;
  chart.y_scale = io::Scale::log10;
  for (const ModelReport& m : models) {
    io::ChartSeries series{m.model, {}, std::nullopt, false};
    for (const auto& [length, ms] : m.forward_milliseconds)
      series.points.push_back({static_cast<double>(length), ms});
    chart.series.push_back(std::move(series));
  }
  return io::to_svg(chart);
}

}  // namespace cosformer::cli
