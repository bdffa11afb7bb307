#pragma once

#include <cstddef>
#include <string_view>

namespace omnifit::core {

/// One code point of a UTF-8 text. If `valid` is false, `value` is the offending byte and `size`
/// is 1.
struct CodePoint {
  char32_t value = 0;
  std::size_t size = 1;
  bool valid = false;
};

/// Decodes the code point that starts at byte `at`. Overlong forms, surrogates and values above
/// U+10FFFF are invalid. @pre at < text.size()
CodePoint decode_utf8(std::string_view text, std::size_t at);

/// True if the whole text is UTF-8.
bool is_utf8(std::string_view text);

}  // namespace omnifit::core
