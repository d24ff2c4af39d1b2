#include "data/near_duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/made_text.h"
#include "data/shared_windows.h"

namespace cosformer::data::test {
namespace {

/// What stays of `before` + valid + `after`, the validation part left out.
std::string rest_of(const std::string& before, const std::string& valid, const std::string& after) {
  const std::string text = before + valid + after;
  const std::vector<std::size_t> units = units_of(text);
  const NearDuplicates duplicates(text, units, {before.size(), before.size() + valid.size()});
  std::string rest;
  for (const Stretch& s : duplicates.rest()) rest += text.substr(s.begin, s.size());
  return rest;
}

const std::string kBefore = made_text(0, 40), kValid = made_text(1, 20), kAfter = made_text(2, 40);

TEST(NearDuplicates, KeepsWhatIsUnlike) {
  EXPECT_EQ(rest_of(kBefore, kValid, kAfter), kBefore + kAfter);
}

TEST(NearDuplicates, DropsACopyInOtherClothes) {
  std::string wide, quoted = "# ", upper = kValid, one_line = kValid;
  for (const char c : kValid) {
    wide += c == ' ' ? "  \t" : std::string(1, c);
    quoted += c == '\n' ? "\r\n# " : c == ' ' ? ", " : std::string(1, c);
  }
  quoted += "\n";
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  one_line += '\n';
  const std::string half = kValid.substr(0, kValid.find("\n\n") + 2);
  for (const std::string& copy : {kValid, wide, quoted, upper, one_line, half}) {
    EXPECT_EQ(rest_of(kBefore, kValid, copy + kAfter), kBefore + kAfter) << copy.substr(0, 80);
    EXPECT_EQ(rest_of(kBefore + copy, kValid, kAfter), kBefore + kAfter) << copy.substr(0, 80);
  }
}

/// Words of `letters` letters each, 9 a line.
std::string words_of(std::size_t letters) {
  std::string text;
  for (const std::string& word : tokens_of(made_text(1, 60))) {
    const std::size_t count = static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
    std::string longer;
    while (longer.size() < letters) longer += word.substr(1);
    text += longer.substr(0, letters) + (count % 9 == 0 ? " \n" : " ");
  }
  return text + "\n";
}

/// Every n-th word replaced, `blanks` between words.
std::string edited(const std::string& original, std::size_t n, const std::string& blanks = " ") {
  std::string text;
  std::size_t count = 0;
  for (const std::string& word : tokens_of(original)) {
    text += ++count % n == 0 ? "own" + std::to_string(count) : word;
    text += count % 9 == 0 ? "\n" : blanks;
  }
  return text + "\n";
}

TEST(NearDuplicates, DropsACopyWithAWordInSevenChanged) {
  // Of short words, so that neither 8 of them nor 40 characters in a row are left.
  const std::string valid = words_of(4), copy = edited(valid, 7);
  ASSERT_EQ(shared(byte_windows(valid, kCharactersOfWindow), byte_windows(copy, kCharactersOfWindow)), 0U);
  ASSERT_EQ(shared_windows(valid, copy).words8, 0U);
  EXPECT_EQ(rest_of(kBefore, valid, copy + kAfter), kBefore + kAfter);
}

TEST(NearDuplicates, KeepsTextWithEverySixthWordItsOwn) {
  const std::string valid = words_of(4), own = edited(valid, 6);
  EXPECT_EQ(rest_of(kBefore, valid, own + kAfter), kBefore + own + kAfter);
}

TEST(NearDuplicates, DropsThreeLongWordsInARow) {
  const std::string valid = words_of(20), copy = edited(valid, 4, " \t ");
  EXPECT_EQ(rest_of(kBefore, valid, copy + kAfter), kBefore + kAfter);
}

TEST(NearDuplicates, DropsEightMarksInARow) {
  const std::string line = "if ( x == 0 ) { y\n";
  ASSERT_LT(line.size(), kCharactersOfWindow);
  EXPECT_EQ(rest_of(kBefore, kValid + line, line + kAfter), kBefore + kAfter);
}

TEST(NearDuplicates, DropsTheEditBetweenTwoCopies) {
  const std::size_t middle = kValid.find("\n\n") + 2;
  const std::string first = kValid.substr(0, middle), second = kValid.substr(middle);
  const std::string note = made_text(3, 3), chapter = made_text(4, 7);
  EXPECT_EQ(rest_of(kBefore, kValid, first + note + second + kAfter), kBefore + kAfter);
  EXPECT_EQ(rest_of(kBefore, kValid, first + chapter + second + kAfter), kBefore + chapter + kAfter)
      << "400 bytes are text in their own right";
}

TEST(NearDuplicates, FindsWindowsThatRemovalBringsTogether) {
  // Valid reads "head tail"; training has the two apart, with a copy of other valid text between them.
  const std::string head = "zeta eta theta iota", tail = "kappa lambda mu nu";
  const std::string copied = made_text(5, 1);
  const std::string own = made_text(6, 8), own2 = made_text(7, 8);
  const std::string valid = kValid + head + "\n" + tail + "\n" + made_text(8, 2) + copied;
  const std::string train = own + head + "\n" + copied + tail + "\n" + own2;
  const std::string rest = rest_of(kBefore, valid, train + kAfter);
  const SharedWindows shared = shared_windows(valid, rest);
  EXPECT_EQ(shared.words8, 0U);
  EXPECT_NE(rest.find(own), std::string::npos);
  EXPECT_NE(rest.find(own2), std::string::npos);
}

TEST(NearDuplicates, WorksWithoutBlanks) {
  std::string valid, before;
  for (const char c : kValid) valid += is_blank(c) ? "" : std::string(1, c);
  for (const char c : kBefore) before += is_blank(c) ? "" : std::string(1, c);
  // One line of bytes: units of 400 bytes go, the neighbours of the copy with it.
  const std::string text =
      before + "\n" + valid + "\n" + before.substr(0, 1000) + valid + before.substr(1000);
  const std::vector<std::size_t> units = units_of(text);
  const NearDuplicates duplicates(text, units, {before.size() + 1, before.size() + valid.size() + 2});
  std::string rest;
  for (const Stretch& s : duplicates.rest()) rest += text.substr(s.begin, s.size());
  EXPECT_EQ(shared_windows(valid, rest).bytes50, 0U);
  EXPECT_GT(rest.size(), 2 * before.size() - 1000);
}

TEST(NearDuplicates, CountsWhatOneSearchFinds) {
  const std::string text = kValid + kBefore + kValid + kAfter;
  const std::vector<std::size_t> units = units_of(text);
  EXPECT_EQ(NearDuplicates(text, units, {0, kValid.size()}).count(), kValid.size());
}

TEST(Units, AreLinesAndPartsOfLongLines) {
  EXPECT_TRUE(units_of("").empty());
  EXPECT_EQ(units_of("a\n\nb"), (std::vector<std::size_t>{0, 2, 3}));
  const std::string blanks = std::string(300, 'x') + " " + std::string(300, 'y') + "\n";
  EXPECT_EQ(units_of(blanks), (std::vector<std::size_t>{0, 301}));
  std::string wide;
  for (int i = 0; i < 300; ++i) wide += "語";
  for (const std::size_t at : units_of(wide)) EXPECT_EQ(at % 3, 0U) << "never inside of a character";
  EXPECT_EQ(units_of(std::string(1000, '\x80')).size(), 3U) << "no character begins";
}

TEST(HashSet, KnowsWhatWasAdded) {
  HashSet none;
  none.seal();
  EXPECT_FALSE(none.contains(0));
  HashSet set;
  for (uint64_t i = 0; i < 10000; ++i) set.add(mixed(i));
  set.add(mixed(3));
  set.seal();
  for (uint64_t i = 0; i < 20000; ++i) EXPECT_EQ(set.contains(mixed(i)), i < 10000);
}

}  // namespace
}  // namespace cosformer::data::test
