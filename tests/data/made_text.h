#pragma once

#include <random>
#include <string>

namespace cosformer::data::test {

/// Sentences of made-up words, `lines` lines of about 60 bytes, a blank line after every eighth. Texts of
/// different seeds share no word.
inline std::string made_text(unsigned seed, std::size_t lines, const char* line_end = "\n") {
  std::mt19937 random(seed);
  std::string text;
  for (std::size_t line = 0; line < lines; ++line) {
    for (int word = 0; word < 9; ++word) {
      if (word > 0) text += ' ';
      text += static_cast<char>('a' + seed % 26);
      for (int letter = 0; letter < 5; ++letter) text += static_cast<char>('a' + random() % 26);
    }
    text += line_end;
    if (line % 8 == 7) text += line_end;
  }
  return text;
}

}  // namespace cosformer::data::test
