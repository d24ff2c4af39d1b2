#include "data/shard_plan.h"

#include <algorithm>
#include <span>

#include "cosformer/error.h"
#include "data/in_parallel.h"
#include "data/words.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/sealed_json.h"

namespace cosformer::data {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr int kVersion = 1;
constexpr const char* kFile = "plan.json";
constexpr uint64_t kUnit = uint64_t{8} << 20;  // Bytes of text that one worker counts at a time.

TextFile open_split(const ShardRequest& request, const std::string& split) {
  TextFile text(split_file(request.source, request.format, split));
  if (text.size() == 0) throw FormatError(text.path().string() + ": expected a text, got an empty file");
  return text;
}

/// What a plan has to agree with to be gone on with.
Json request_json(const ShardRequest& request, const std::vector<SplitPlan>& splits) {
  Json json = {{"format_version", kVersion},
               {"format", request.format == Format::kBytes ? "bytes" : "wikitext"},
               {"shard_tokens", request.shard_tokens},
               {"texts", Json::object()}};
  const auto add = [&](const std::string& split, const TextFile& text) {
    json["texts"][split] = {{"name", text.path().filename().string()},
                            {"bytes", text.size()},
                            {"changed_nanoseconds", text.changed()}};
  };
  if (request.format == Format::kWikitext) add("train", open_split(request, "train"));  // the vocabulary's
  for (const SplitPlan& split : splits) add(split.split, split.text);
  json["splits"] = request.splits;
  return json;
}

std::string checksum(const Vocabulary& vocabulary) {
  const std::string text = vocabulary.text();
  return io::crc64_text(io::crc64(std::as_bytes(std::span(text))));
}

/// Calls `on_unit(begin, tokens)` for each stretch of the text in order; adds up its words where asked.
template <class OnUnit>
void count_words(const TextFile& text, int workers, WordCounts* sum, const OnUnit& on_unit) {
  struct Unit {
    uint64_t begin, end;
    int64_t tokens = 0;
    WordCounts counts;
  };
  for (uint64_t at = 0; at < text.size();) {
    std::vector<Unit> units;
    while (at < text.size() && units.size() < static_cast<std::size_t>(workers)) {
      const uint64_t end = text.word_border(std::min(text.size(), at + kUnit));
      units.push_back({at, end, 0, {}});
      at = end;
    }
    in_parallel(static_cast<int64_t>(units.size()), workers, [&](int64_t number) {
      Unit& unit = units[static_cast<std::size_t>(number)];
      TextPieces pieces(text, unit.begin, unit.end);
      for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
        for_each_word(piece, [&](std::string_view word) {
          ++unit.tokens;
          if (sum) unit.counts.add(word);
        });
      }
    });
    for (const Unit& unit : units) {
      if (sum) sum->add(unit.counts);
      on_unit(unit.begin, unit.tokens);
    }
  }
}

void plan_bytes(SplitPlan& split, int64_t shard_tokens) {
  split.tokens = static_cast<int64_t>(split.text.size());
  for (int64_t begin = 0; begin < split.tokens; begin += shard_tokens)
    split.begins.push_back({static_cast<uint64_t>(begin), 0});
}

void plan_words(SplitPlan& split, int64_t shard_tokens, int workers, WordCounts* counts) {
  count_words(split.text, workers, counts, [&](uint64_t begin, int64_t tokens) {
    const auto next = [&] { return static_cast<int64_t>(split.begins.size()) * shard_tokens; };
    for (; next() < split.tokens + tokens;)
      split.begins.push_back({begin, static_cast<uint64_t>(next() - split.tokens)});
    split.tokens += tokens;
  });
}

void make_plan(const ShardRequest& request, int workers, ShardPlan& plan) {
  if (request.format == Format::kBytes) {
    for (SplitPlan& split : plan.splits) plan_bytes(split, request.shard_tokens);
    return;
  }
  WordCounts counts;
  bool is_counted = false;
  for (SplitPlan& split : plan.splits) {
    const bool is_train = split.split == "train";
    plan_words(split, request.shard_tokens, workers, is_train ? &counts : nullptr);
    is_counted = is_counted || is_train;
  }
  if (!is_counted) {
    count_words(open_split(request, "train"), workers, &counts, [](uint64_t, int64_t) {});
  }
  plan.vocabulary = Vocabulary::of_counts(std::move(counts));
}

void save(const fs::path& folder, Json json, const ShardPlan& plan) {
  if (plan.vocabulary) {
    plan.vocabulary->save(folder);
    json["vocabulary_crc64"] = checksum(*plan.vocabulary);
  }
  for (const SplitPlan& split : plan.splits) {
    Json begins = Json::array();
    for (const ShardBegin& begin : split.begins) begins.push_back({begin.byte, begin.skip});
    json["plans"][split.split] = {{"tokens", split.tokens}, {"begins", std::move(begins)}};
  }
  io::write_file(folder / kFile, io::sealed(std::move(json)));
}

void load(const fs::path& folder, const Json& asked, ShardPlan& plan) {
  const fs::path path = folder / kFile;
  const Json json = io::read_sealed(path);
  for (const auto& [key, value] : asked.items()) {
    const Json of_plan = json.value(key, Json());
    if (of_plan == value) continue;
    throw FormatError(path.string() + ": " + key + ": expected " + value.dump() + ", got " + of_plan.dump() +
                      "; other shards need another folder");
  }
  try {
    for (SplitPlan& split : plan.splits) {
      const Json& entry = json.at("plans").at(split.split);
      entry.at("tokens").get_to(split.tokens);
      for (const Json& begin : entry.at("begins")) split.begins.push_back({begin.at(0), begin.at(1)});
    }
    if (asked["format"] == "bytes") return;
    plan.vocabulary = Vocabulary::load(folder);
    const std::string expected = json.at("vocabulary_crc64"), got = checksum(*plan.vocabulary);
    if (got != expected) {
      throw FormatError((folder / kVocabularyFile).string() + ": expected checksum " + expected + ", got " +
                        got);
    }
  } catch (const Json::exception& error) {  // The checksum fits: some other program has written it.
    throw FormatError(path.string() + ": expected a plan of shards, got something else: " + error.what());
  }
}

}  // namespace

int64_t ShardPlan::tokens_of(const SplitPlan& split, std::size_t shard, int64_t shard_tokens) {
  return std::min(shard_tokens, split.tokens - static_cast<int64_t>(shard) * shard_tokens);
}

ShardPlan plan_shards(const ShardRequest& request, int workers, const fs::path& folder) {
  ShardPlan plan;
  for (const std::string& split : request.splits)
    plan.splits.push_back({split, open_split(request, split), 0, {}});
  const Json asked = request_json(request, plan.splits);
  if (fs::exists(folder / kFile)) {
    load(folder, asked, plan);
  } else {
    make_plan(request, workers, plan);
    save(folder, asked, plan);
  }
  return plan;
}

}  // namespace cosformer::data
