#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// Data in a folder.
namespace cosformer::data {

enum class Format {
  kBytes,     ///< {train,valid,test}.txt; a token is a byte
  kWikitext,  ///< wiki.{train,valid,test}.tokens or {train,valid,test}.txt; words, and an <eos> for each line
  kShards,    ///< what `cosformer data shard` has made of either
};

/// @throws FormatError if the name is none of "bytes", "wikitext" and "shards"
Format parse_format(std::string_view name);

/// The file of a split of a text: the first that exists of those that the format allows.
/// @param split "train", "valid" or "test"
/// @throws IoError naming the files that were looked for
std::filesystem::path split_file(const std::filesystem::path& folder, Format format,
                                 const std::string& split);

}  // namespace cosformer::data
