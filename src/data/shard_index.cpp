#include "data/shard_index.h"

#include "cosformer/error.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/sealed_json.h"

namespace cosformer::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kFile = "index.json";

}  // namespace

std::string shard_name(const std::string& split, std::size_t number) {
  const std::string digits = std::to_string(number);
  return split + "/shard-" + std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits +
         ".tokens";
}

void ShardIndex::save(const std::filesystem::path& folder) const {
  Json json = {{"format_version", kVersion},
               {"tokenizer", tokenizer == Format::kBytes ? "bytes" : "words"},
               {"vocabulary_size", vocabulary_size}};
  if (!vocabulary_checksum.empty()) json["vocabulary_crc64"] = vocabulary_checksum;
  for (const auto& [split, shards] : splits) {
    Json list = Json::array();
    int64_t tokens = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      list.push_back({{"name", shard_name(split, i)},
                      {"tokens", shards[i].tokens},
                      {"crc64", io::crc64_text(shards[i].checksum)}});
      tokens += shards[i].tokens;
    }
    json["splits"][split] = {{"tokens", tokens}, {"shards", std::move(list)}};
  }
  io::write_file(folder / kFile, io::sealed(std::move(json)));
}

ShardIndex ShardIndex::load(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFile;
  const Json json = io::read_sealed(path);
  if (json.value("format_version", Json()) != kVersion) {
    throw FormatError(path.string() + ": format_version: expected " + std::to_string(kVersion) + ", got " +
                      json.value("format_version", Json()).dump());
  }
  ShardIndex index;
  try {
    index.tokenizer = json.at("tokenizer") == "bytes" ? Format::kBytes : Format::kWikitext;
    json.at("vocabulary_size").get_to(index.vocabulary_size);
    if (index.tokenizer == Format::kWikitext) json.at("vocabulary_crc64").get_to(index.vocabulary_checksum);
    for (const auto& [split, entry] : json.at("splits").items()) {
      std::vector<Shard>& shards = index.splits[split];
      for (const Json& shard : entry.at("shards")) {
        shards.push_back(
            {shard.at("tokens"), std::stoull(shard.at("crc64").get<std::string>(), nullptr, 16)});
      }
    }
  } catch (const std::exception& error) {  // The checksum fits: some other program has written it.
    throw FormatError(path.string() + ": expected an index of shards, got something else: " + error.what());
  }
  return index;
}

}  // namespace cosformer::data
