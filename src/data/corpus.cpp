#include "data/corpus.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "cosformer/error.h"
#include "data/near_duplicates.h"
#include "io/atomic_file.h"
#include "io/xml_text.h"

namespace cosformer::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCandidates = 10;
constexpr double kEnough = 0.9;        // of the training text that the best candidate leaves
constexpr std::size_t kNearPart = 16;  // A border moves by at most such a part of the validation text.

using PairCounts = std::vector<uint32_t>;

PairCounts count_pairs(std::string_view text) {
  PairCounts counts(std::size_t{1} << 16);
  for (std::size_t i = 1; i < text.size(); ++i) {
    ++counts[static_cast<unsigned char>(text[i - 1]) * std::size_t{256} +
             static_cast<unsigned char>(text[i])];
  }
  return counts;
}

/// Kullback-Leibler divergence of a part's pairs of bytes from the whole's, in nats.
double divergence(std::string_view part, const PairCounts& whole, std::size_t whole_size) {
  const PairCounts counts = count_pairs(part);
  const auto pairs = static_cast<double>(part.size() - 1), all = static_cast<double>(whole_size - 1);
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const double share = counts[i] / pairs;
    sum += share * std::log(share / (whole[i] / all));
  }
  return sum;
}

/// The unit from `at` on, within `reach`, that begins the text or follows an empty line; else the next unit.
std::size_t border(std::string_view text, const std::vector<std::size_t>& units, std::size_t at,
                   std::size_t reach) {
  const auto next = std::lower_bound(units.begin(), units.end(), at);
  for (auto unit = next; unit != units.end() && *unit <= at + reach; ++unit) {
    if (*unit == 0) return 0;
    std::size_t before = *unit - 1;  // The line end before; an empty line holds blanks at most.
    if (text[before] != '\n') continue;
    while (before > 0 && is_blank(text[before - 1]) && text[before - 1] != '\n') --before;
    if (before == 0 || text[before - 1] == '\n') return *unit;
  }
  return next == units.end() ? text.size() : *next;
}

std::vector<Stretch> candidates(std::string_view text, const std::vector<std::size_t>& units) {
  const auto size = std::clamp<std::size_t>(text.size() / 10, kLeastValid, kMostValid);
  std::vector<Stretch> result;
  result.reserve(kCandidates);
  for (std::size_t i = 0; i < kCandidates; ++i) {
    const std::size_t begin = (text.size() - size) * i / (kCandidates - 1);
    const Stretch stretch = {border(text, units, begin, size / kNearPart),
                             border(text, units, begin + size, size / kNearPart)};
    if (stretch.size() >= size / 2) result.push_back(stretch);
  }
  return result;
}

std::string json_text(const Corpus& corpus) {
  nlohmann::ordered_json json;
  json["train_bytes"] = corpus.train_bytes;
  json["valid_bytes"] = corpus.valid_bytes;
  json["repeated_bytes"] = corpus.repeated_bytes;
  json["valid_from"] = corpus.split.valid.begin;
  json["files"] = nlohmann::ordered_json::array();
  for (const SourceFile& file : corpus.source.files) {
    json["files"].push_back({{"path", io::valid_text(file.path)}, {"bytes", file.bytes}});
  }
  json["left_out"] = nlohmann::ordered_json::array();
  for (const LeftOut& file : corpus.source.left_out) {
    json["left_out"].push_back({{"path", io::valid_text(file.path)}, {"why", io::valid_text(file.why)}});
  }
  return json.dump(2) + "\n";
}

std::vector<std::string_view> train_parts(std::string_view text, const std::vector<Stretch>& train) {
  std::vector<std::string_view> parts;
  for (const Stretch& stretch : train) {
    if (!parts.empty() && !is_blank(parts.back().back())) parts.emplace_back("\n");
    parts.push_back(text.substr(stretch.begin, stretch.size()));
  }
  return parts;
}

/// Fails unless `output` is an empty folder or nothing; true if nothing.
bool expect_free(const fs::path& output) {
  std::error_code error;
  const fs::file_status status = fs::status(output, error);
  if (status.type() == fs::file_type::not_found) return true;
  if (error) throw IoError(output.string() + ": cannot read: " + error.message());
  if (!fs::is_directory(status)) throw IoError(output.string() + ": expected a folder, got a file");
  const fs::directory_iterator entry(output, error);
  if (error) throw IoError(output.string() + ": cannot read: " + error.message());
  if (entry != fs::directory_iterator()) {
    throw IoError(output.string() + ": expected an empty folder or none, got one that holds " +
                  entry->path().filename().string());
  }
  return false;
}

void write_files(const fs::path& output, const std::vector<std::string_view>& train, std::string_view valid,
                 const std::string& json) {
  std::vector<std::span<const std::byte>> parts;
  parts.reserve(train.size());
  for (const std::string_view part : train) parts.push_back(std::as_bytes(std::span(part)));
  const std::array names = {output / "train.txt", output / "valid.txt", output / "corpus.json"};
  try {
    io::write_file(names[0], parts);
    io::write_file(names[1], valid);
    io::write_file(names[2], json);
  } catch (...) {
    std::error_code ignored;
    for (const fs::path& name : names) fs::remove(name, ignored);
    throw;
  }
}

}  // namespace

TextSplit split_text(const std::string& text, const fs::path& source) {
  if (text.size() < kLeastText) {
    throw FormatError(source.string() + ": expected at least " + std::to_string(kLeastText) +
                      " bytes of text, got " + std::to_string(text.size()));
  }
  const std::vector<std::size_t> units = units_of(text);
  const std::vector<Stretch> stretches = candidates(text, units);
  std::vector<std::size_t> left;
  left.reserve(stretches.size());
  for (const Stretch& stretch : stretches) {
    left.push_back(text.size() - stretch.size() - NearDuplicates(text, units, stretch).count());
  }
  const double enough = kEnough * static_cast<double>(*std::max_element(left.begin(), left.end()));
  const PairCounts whole = count_pairs(text);
  double least = INFINITY;
  TextSplit split;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    if (static_cast<double>(left[i]) < enough) continue;
    const std::string_view part = std::string_view(text).substr(stretches[i].begin, stretches[i].size());
    const double distance = divergence(part, whole, text.size());
    if (distance < least) {
      least = distance;
      split.valid = stretches[i];
    }
  }
  split.train = NearDuplicates(text, units, split.valid).rest();
  uint64_t train_bytes = 0;
  for (const Stretch& stretch : split.train) train_bytes += stretch.size();
  if (train_bytes < kLeastTrain) {
    throw FormatError(source.string() + ": expected at least " + std::to_string(kLeastTrain) +
                      " bytes of text that do not repeat the validation part, got " +
                      std::to_string(train_bytes));
  }
  return split;
}

Corpus write_corpus(const fs::path& source, const fs::path& output) {
  expect_free(output);
  Corpus corpus;
  corpus.source = read_text(source);
  const std::string_view text = corpus.source.text;
  corpus.split = split_text(corpus.source.text, source);
  const Stretch valid = corpus.split.valid;
  const std::vector<std::string_view> train = train_parts(text, corpus.split.train);
  for (const std::string_view part : train) corpus.train_bytes += part.size();
  corpus.valid_bytes = valid.size();
  corpus.repeated_bytes = text.size() - valid.size();
  for (const Stretch& stretch : corpus.split.train) corpus.repeated_bytes -= stretch.size();

  std::error_code error;
  const bool created = expect_free(output);
  fs::create_directories(output, error);
  if (error) throw IoError(output.string() + ": cannot create: " + error.message());
  try {
    write_files(output, train, text.substr(valid.begin, valid.size()), json_text(corpus));
  } catch (...) {
    if (created) fs::remove(output, error);
    throw;
  }
  return corpus;
}

}  // namespace cosformer::data
