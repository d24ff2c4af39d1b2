#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Text of unknown origin on its way to a screen or into an XML file.
namespace cosformer::io {

/// Whether a byte goes on with a UTF-8 character that began before it.
bool continues_character(char c);

/// Bytes of the character that begins at text[at]; 0 where none does that a screen or XML can show: not
/// UTF-8, or a control character other than tab and line ends.
std::size_t character_length(std::string_view text, std::size_t at);

/// Bytes that are not UTF-8, and characters that XML forbids (control characters but tab and line ends),
/// become U+FFFD.
std::string valid_text(std::string_view text);

/// Escaped for content and quoted attributes. Bytes that are not UTF-8, and characters that XML forbids,
/// become U+FFFD.
std::string xml_text(std::string_view text);

/// How many characters: bytes that do not continue a UTF-8 sequence.
std::size_t code_points(std::string_view text);

/// At most `most` characters, the last one an ellipsis where some were left out.
std::string shortened(std::string_view text, std::size_t most);

/// Lines of at most `most` characters, broken at spaces; a longer word is shortened.
std::vector<std::string> wrapped(std::string_view text, std::size_t most);

}  // namespace cosformer::io
