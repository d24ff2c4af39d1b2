#include "data/word_counts.h"

#include <algorithm>

namespace cosformer::data {

void WordCounts::add(std::string_view word, int64_t times) {
  auto place = places_.find(word);
  if (place == places_.end()) {
    place = places_.emplace(word, counts_.size()).first;
    counts_.push_back({&place->first, 0});
  }
  counts_[place->second].times += times;
}

void WordCounts::add(const WordCounts& after) {
  for (const Count& count : after.counts_) add(*count.word, count.times);
}

std::vector<std::string> WordCounts::by_frequency() const {
  std::vector<Count> sorted = counts_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Count& a, const Count& b) { return a.times > b.times; });
  std::vector<std::string> words;
  words.reserve(sorted.size());
  for (const Count& count : sorted) words.push_back(*count.word);
  return words;
}

}  // namespace cosformer::data
