#pragma once

#include <algorithm>
#include <string_view>

namespace cosformer::data {

inline constexpr std::string_view kEndOfLine = "<eos>";
inline constexpr std::string_view kUnknown = "<unk>";

/// Calls on_word with each word of a text: what stands between spaces, and kEndOfLine for each line end.
template <class OnWord>
void for_each_word(std::string_view text, OnWord&& on_word) {
  constexpr std::string_view kSpaces = " \t\r\v\f\n";
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '\n') {
      on_word(kEndOfLine);
      ++at;
    } else if (kSpaces.find(text[at]) != std::string_view::npos) {
      ++at;
    } else {
      const std::size_t end = std::min(text.find_first_of(kSpaces, at), text.size());
      on_word(text.substr(at, end - at));
      at = end;
    }
  }
}

/// The same for a whole file, whose last line may lack its end.
template <class OnWord>
void for_each_word_of_file(std::string_view text, OnWord&& on_word) {
  for_each_word(text, on_word);
  if (!text.empty() && text.back() != '\n') on_word(kEndOfLine);
}

}  // namespace cosformer::data
