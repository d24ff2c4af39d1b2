#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/windows.h"

/// Which parts of a text are nearly the same as a chosen stretch of it.
namespace cosformer::data {

/// A set of hashes that is filled, then asked.
class HashSet {
 public:
  void add(uint64_t hash) { hashes_.push_back(hash); }
  /// Call once, between the last add and the first contains.
  void seal();
  bool contains(uint64_t hash) const;

 private:
  std::vector<uint64_t> hashes_;  // sorted
  std::vector<bool> filter_;      // by the upper bits: turns most others away at one look
  unsigned shift_ = 63;
};

/// Where a text may be cut: at line ends; lines longer than 400 bytes also after a blank, or where there is
/// none between characters.
std::vector<std::size_t> units_of(std::string_view text);

/// Finds what repeats one stretch. A line goes if it is touched by
///   - 8 words in a row, with or without their punctuation, that the stretch has too: an exact copy, whatever
///     its line breaks and case;
///   - 40 characters in a row that it has too, some 6 words: the same for long words or none;
///   - 32 words in a row of which at least 12 of the 29 shingles of 4 words occur in the stretch: a copy with
///     a word in seven changed keeps 12 or more; of unlike licences about one shingle in ten agrees.
/// A line without words that follows a line that goes, goes too, and so does what stays between two places
/// that go if it is shorter than 200 bytes: it is what the editor of a near-copy put in. Windows run on over
/// the gaps, and the search is repeated until nothing is found: of what stays, no window of the first two
/// kinds occurs in the stretch.
class NearDuplicates {
 public:
  /// `stretch` begins and ends at units. `text` and `units` must outlive this.
  NearDuplicates(std::string_view text, const std::vector<std::size_t>& units, Stretch stretch);

  /// Bytes beside the stretch that one search takes: a quick measure, short of repeats and gaps.
  std::size_t count() const;

  /// What stays beside the stretch, in order.
  /// Time: 20 ns a byte and search on one core of a Zen 4, mostly two searches; memory: a byte a line, 20
  /// bytes a byte of the stretch.
  std::vector<Stretch> rest() const;

 private:
  enum class Fate : char { kStays, kGoes, kStretch };

  HashSet& set_of(Window kind) { return sets_[static_cast<std::size_t>(kind)]; }
  const HashSet& set_of(Window kind) const { return sets_[static_cast<std::size_t>(kind)]; }
  std::vector<Fate> fates() const;
  std::size_t unit_at(std::size_t at) const;
  Stretch unit(std::size_t index) const;
  std::vector<Stretch> staying(const std::vector<Fate>& fates) const;
  bool search(std::vector<Fate>& fates) const;
  void drop_scraps(std::vector<Fate>& fates) const;

  std::string_view text_;
  const std::vector<std::size_t>& units_;
  Stretch stretch_;
  std::array<HashSet, 4> sets_;  // one a kind of window
};

}  // namespace cosformer::data
