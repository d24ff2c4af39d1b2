#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// Windows of text as a reader sees it: the case of ASCII letters and the kind and number of blanks make no
/// difference.
namespace cosformer::data {

/// Bytes [begin, end) of a text.
struct Stretch {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
};

enum class Window {
  kCharacters,  ///< 40 characters; blanks in a row count as one
  kTokens,      ///< 8 of what stands between blanks
  kWords,       ///< 8 runs of ASCII letters, digits and bytes above 127, whatever stands between them
  kShingle,     ///< 4 words
};

inline constexpr std::size_t kCharactersOfWindow = 40, kWordsOfWindow = 8, kWordsOfShingle = 4;

inline bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline bool is_word(char c) {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

/// A bijection that spreads every bit over all others (the finaliser of SplitMix64).
constexpr uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

/// Sums of hashes, each times a power of this, are the hashes of sequences. Odd, so that nothing is lost.
inline constexpr uint64_t kHashFactor = 0x9E3779B97F4A7C15U;

constexpr uint64_t power_of_factor(std::size_t exponent) {
  return exponent == 0 ? 1 : kHashFactor * power_of_factor(exponent - 1);
}

/// The last words of a text, each a hash and where it begins.
class LastWords {
 public:
  /// Takes the next character; true where a word ends before it.
  bool read(char c, bool inside, std::size_t at) {
    if (inside) {
      if (!inside_) {
        hash_ = 0;
        begins_[count_ % kWordsOfWindow] = at;
      }
      hash_ = (hash_ + static_cast<unsigned char>(c) + 1) * kHashFactor;
    }
    const bool ended = inside_ && !inside;
    if (ended) hashes_[count_++ % kWordsOfWindow] = mixed(hash_);
    inside_ = inside;
    return ended;
  }

  /// Whether there are n words, and the hash and beginning of the last n of them.
  bool has(std::size_t n) const { return count_ >= n; }
  uint64_t hash(std::size_t n) const {
    uint64_t sum = 0;
    for (std::size_t i = count_ - n; i < count_; ++i) sum = sum * kHashFactor + hashes_[i % kWordsOfWindow];
    return mixed(sum);
  }
  std::size_t begin(std::size_t n) const { return begins_[(count_ - n) % kWordsOfWindow]; }

 private:
  std::array<uint64_t, kWordsOfWindow> hashes_{};
  std::array<std::size_t, kWordsOfWindow> begins_{};
  std::size_t count_ = 0;
  uint64_t hash_ = 0;
  bool inside_ = false;
};

/// The last characters of a text, blanks in a row as one.
class LastCharacters {
 public:
  /// Takes the next character; true where it ends a window.
  bool read(char c, std::size_t at) {
    if (c == ' ' && last_ == ' ') return false;
    last_ = c;
    const uint64_t value = value_of(c);
    hash_ = hash_ * kHashFactor + value - values_[next_] * kOldestFactor;
    values_[next_] = value;
    begins_[next_] = at;
    next_ = after(next_);
    if (next_ == 0) full_ = true;
    return full_;
  }
  uint64_t hash() const { return hash_; }
  /// Where the window begins; a blank there is left aside, as it may belong to another line.
  std::size_t begin() const { return begins_[values_[next_] == value_of(' ') ? after(next_) : next_]; }

 private:
  static constexpr uint64_t kOldestFactor = power_of_factor(kCharactersOfWindow);
  static uint64_t value_of(char c) { return mixed(static_cast<unsigned char>(c) + uint64_t{1}); }
  static std::size_t after(std::size_t i) { return i + 1 == kCharactersOfWindow ? 0 : i + 1; }

  std::array<uint64_t, kCharactersOfWindow> values_{};
  std::array<std::size_t, kCharactersOfWindow> begins_{};
  std::size_t next_ = 0;
  uint64_t hash_ = 0;
  char last_ = ' ';
  bool full_ = false;
};

/// Visits the windows of stretches that follow each other as one text, by their ends:
/// `visit(Window, uint64_t hash, Stretch where)`. Equal windows have equal hashes; of those of characters the
/// upper bits alone are spread evenly.
template <class Visit>
void visit_windows(std::string_view text, std::span<const Stretch> stretches, const Visit& visit) {
  LastCharacters characters;
  LastWords tokens, words;
  const auto visit_words = [&](Window kind, const LastWords& last, std::size_t n, std::size_t end) {
    if (last.has(n)) visit(kind, last.hash(n), Stretch{last.begin(n), end});
  };
  const auto read = [&](char c, std::size_t at) {
    if (characters.read(c, at))
      visit(Window::kCharacters, characters.hash(), Stretch{characters.begin(), at + 1});
    if (tokens.read(c, c != ' ', at)) visit_words(Window::kTokens, tokens, kWordsOfWindow, at);
    if (words.read(c, is_word(c), at)) {
      visit_words(Window::kShingle, words, kWordsOfShingle, at);
      visit_words(Window::kWords, words, kWordsOfWindow, at);
    }
  };
  for (const Stretch& stretch : stretches) {
    for (std::size_t at = stretch.begin; at < stretch.end; ++at) {
      read(is_blank(text[at]) ? ' ' : lower(text[at]), at);
    }
    read(' ', stretch.end);  // The next stretch follows as if after a blank.
  }
}

}  // namespace cosformer::data
