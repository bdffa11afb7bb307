#include "core/utf8.hpp"

namespace omnifit::core {
namespace {

/// Number of bytes that the lead byte announces; 0 if it cannot start a code point.
std::size_t announced_size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&text](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char lead = byte(at);
  const CodePoint invalid{lead, 1, false};
  const std::size_t size = announced_size(lead);
  if (size == 0 || at + size > text.size()) return invalid;
  if (size == 1) return {lead, 1, true};
  auto value = static_cast<char32_t>(lead & (0xffU >> (size + 1)));
  for (std::size_t k = 1; k < size; ++k) {
    const unsigned char next = byte(at + k);
    if ((next & 0xc0U) != 0x80U) return invalid;
    value = (value << 6U) | (next & 0x3fU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[size] || value > 0x10ffff || surrogate) return invalid;
  return {value, size, true};
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid) return false;
    at += point.size;
  }
  return true;
}

}  // namespace omnifit::core
