#include "cli/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/xml_text.h"

namespace cosformer::cli {

Table::Table(std::vector<std::string> titles, std::size_t left) : rows_{std::move(titles)}, left_(left) {}

void Table::add(std::vector<std::string> cells) {
  cells.resize(rows_.front().size());
  rows_.push_back(std::move(cells));
}

void Table::add_gap() {
  rows_.emplace_back();
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], io::code_points(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - io::code_points(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < left_ ? row[i] + space : space + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "-";
  char text[400];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return std::string(text, end.ptr);
}

}  // namespace cosformer::cli
