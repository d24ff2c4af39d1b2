#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/text_source.h"
#include "data/windows.h"

/// A text made ready for training: a part to validate on, and the rest without what nearly repeats that part.
namespace cosformer::data {

inline constexpr uint64_t kLeastText = 16384;  ///< bytes that a split needs
inline constexpr uint64_t kLeastTrain = 8192;  ///< bytes that must remain for training
inline constexpr uint64_t kLeastValid = 4096;  ///< about this at least, so that a mean over it says something
inline constexpr uint64_t kMostValid = 262144;  ///< about this at most, so that evaluation takes seconds

struct TextSplit {
  Stretch valid;               ///< of the text
  std::vector<Stretch> train;  ///< what stays beside it, in order
};

/// Chooses a tenth of the text (between kLeastValid and kMostValid) and drops from the rest what nearly
/// repeats it (near_duplicates.h). Of ten stretches spread evenly, each moved to the beginning of a paragraph
/// where one is near, those count that leave at least nine tenths of the training text which the best leaves;
/// of these the one whose pairs of bytes are spread most like the whole text's is taken. Nothing is left to
/// chance: equal texts give equal splits.
/// @throws FormatError naming `source` if the text is shorter than kLeastText or too little of it remains
/// Time: some 12 searches of near_duplicates.h, a quarter of a second a megabyte on one core of a Zen 4;
/// memory: 8 bytes a line beside the text, less than half of it for lines of 20 bytes or more.
TextSplit split_text(const std::string& text, const std::filesystem::path& source);

struct Corpus {
  TextSource source;
  TextSplit split;
  uint64_t train_bytes = 0, valid_bytes = 0;
  uint64_t repeated_bytes = 0;  ///< dropped as near-duplicates of the validation part
};

/// Reads `source` (text_source.h), splits it and writes train.txt, valid.txt and, last, corpus.json, which
/// lists the files read and what was left out, into `output`. Where two parts of the training text meet in
/// the middle of a line, a line end is put between them; nothing else is added or changed.
/// @throws IoError, FormatError as read_text and split_text do; IoError if `output` is anything but an empty
/// folder or absent, or cannot be written: then what was written is removed again
Corpus write_corpus(const std::filesystem::path& source, const std::filesystem::path& output);

}  // namespace cosformer::data
