#include "data/near_duplicates.h"

#include <algorithm>
#include <array>

#include "io/xml_text.h"

namespace cosformer::data {
namespace {

constexpr std::size_t kLongestUnit = 400;
constexpr std::size_t kLongestCharacter = 4;
constexpr std::size_t kShortestGap = 200;
constexpr std::size_t kNearWords = 32, kNearShingles = kNearWords - kWordsOfShingle + 1, kNearHits = 12;
constexpr std::size_t kFilterBits = 16;  // a hash

/// Which of the last shingles were hits.
class Run {
 public:
  void add(bool hit, std::size_t begin) {
    Entry& slot = last_[count_++ % kNearShingles];
    hits_ += (hit ? 1 : 0) - (slot.hit ? 1 : 0);
    slot = {hit, begin};
  }
  bool near() const { return hits_ >= kNearHits; }
  /// Where the first hit begins; only if there is one.
  std::size_t begin() const {
    std::size_t i = count_;
    while (!last_[i % kNearShingles].hit) ++i;
    return last_[i % kNearShingles].begin;
  }

 private:
  struct Entry {
    bool hit = false;
    std::size_t begin = 0;
  };
  std::array<Entry, kNearShingles> last_{};
  std::size_t count_ = 0, hits_ = 0;
};

}  // namespace

void HashSet::seal() {
  std::sort(hashes_.begin(), hashes_.end());
  hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
  while (shift_ > 1 && (std::size_t{1} << (64 - shift_)) < kFilterBits * hashes_.size()) --shift_;
  filter_.assign(std::size_t{1} << (64 - shift_), false);
  for (const uint64_t hash : hashes_) filter_[hash >> shift_] = true;
}

bool HashSet::contains(uint64_t hash) const {
  if (!filter_[hash >> shift_]) return false;
  // Hashes are spread evenly: where this one belongs is known up to a few places.
  const auto size = static_cast<std::ptrdiff_t>(hashes_.size());
  auto place = static_cast<std::ptrdiff_t>(static_cast<double>(hash) * 0x1p-64 * static_cast<double>(size));
  place = std::min(place, size - 1);
  while (place > 0 && hashes_[place] > hash) --place;
  while (place + 1 < size && hashes_[place] < hash) ++place;
  return hashes_[place] == hash;
}

std::vector<std::size_t> units_of(std::string_view text) {
  std::vector<std::size_t> units;
  for (std::size_t at = 0; at < text.size();) {
    units.push_back(at);
    const std::string_view most = text.substr(at, kLongestUnit);
    std::size_t length = most.find('\n') + 1;
    if (length == 0 && at + most.size() < text.size()) {
      length = most.size();
      while (length > 0 && !is_blank(most[length - 1])) --length;
    }
    if (length == 0) {
      length = most.size();
      const std::size_t least = length - std::min(length, kLongestCharacter) + 1;
      while (length > least && at + length < text.size() && io::continues_character(text[at + length]))
        --length;
    }
    at += length;
  }
  return units;
}

NearDuplicates::NearDuplicates(std::string_view text, const std::vector<std::size_t>& units, Stretch stretch)
    : text_(text), units_(units), stretch_(stretch) {
  visit_windows(text, {&stretch, 1}, [this](Window kind, uint64_t hash, Stretch) { set_of(kind).add(hash); });
  for (HashSet& set : sets_) set.seal();
}

std::size_t NearDuplicates::unit_at(std::size_t at) const {
  return static_cast<std::size_t>(std::upper_bound(units_.begin(), units_.end(), at) - units_.begin()) - 1;
}

Stretch NearDuplicates::unit(std::size_t index) const {
  return {units_[index], index + 1 < units_.size() ? units_[index + 1] : text_.size()};
}

std::vector<NearDuplicates::Fate> NearDuplicates::fates() const {
  std::vector<Fate> fates(units_.size(), Fate::kStays);
  for (std::size_t i = 0; i < units_.size(); ++i) {
    if (units_[i] >= stretch_.begin && units_[i] < stretch_.end) fates[i] = Fate::kStretch;
  }
  return fates;
}

std::vector<Stretch> NearDuplicates::staying(const std::vector<Fate>& fates) const {
  std::vector<Stretch> stretches;
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (fates[i] != Fate::kStays) continue;
    const Stretch next = unit(i);
    if (!stretches.empty() && stretches.back().end == next.begin) {
      stretches.back().end = next.end;
    } else {
      stretches.push_back(next);
    }
  }
  return stretches;
}

/// Marks what repeats the stretch; false if nothing does.
bool NearDuplicates::search(std::vector<Fate>& fates) const {
  bool found = false;
  const auto mark = [&](std::size_t begin, std::size_t end) {
    found = true;
    for (std::size_t i = unit_at(begin); i < units_.size() && units_[i] < end; ++i) {
      if (fates[i] == Fate::kStays) fates[i] = Fate::kGoes;
    }
  };
  Run run;
  visit_windows(text_, staying(fates), [&](Window kind, uint64_t hash, Stretch where) {
    if (kind == Window::kShingle) {
      const bool hit = set_of(kind).contains(hash);
      run.add(hit, where.begin);
      if (hit && run.near()) mark(run.begin(), where.end);
    } else if (set_of(kind).contains(hash)) {
      mark(where.begin, where.end);
    }
  });
  return found;
}

void NearDuplicates::drop_scraps(std::vector<Fate>& fates) const {
  for (std::size_t i = 1; i < fates.size(); ++i) {
    const std::string_view line = text_.substr(unit(i).begin, unit(i).size());
    if (fates[i] == Fate::kStays && fates[i - 1] == Fate::kGoes &&
        std::none_of(line.begin(), line.end(), is_word)) {
      fates[i] = Fate::kGoes;
    }
  }
  for (std::size_t first = 0; first < fates.size();) {
    std::size_t last = first;
    while (last < fates.size() && fates[last] == Fate::kStays) ++last;
    const bool between =
        first > 0 && last < fates.size() && fates[first - 1] == Fate::kGoes && fates[last] == Fate::kGoes;
    if (last > first && between && units_[last] - units_[first] < kShortestGap) {
      std::fill(fates.begin() + static_cast<std::ptrdiff_t>(first),
                fates.begin() + static_cast<std::ptrdiff_t>(last), Fate::kGoes);
    }
    first = last + 1;
  }
}

std::size_t NearDuplicates::count() const {
  std::vector<Fate> all = fates();
  search(all);
  std::size_t bytes = text_.size() - stretch_.size();
  for (const Stretch& stretch : staying(all)) bytes -= stretch.size();
  return bytes;
}

std::vector<Stretch> NearDuplicates::rest() const {
  std::vector<Fate> all = fates();
  while (search(all)) drop_scraps(all);
  return staying(all);
}

}  // namespace cosformer::data
