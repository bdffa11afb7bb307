#include "formats/torch_file_literals.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>

namespace omnifit::formats {
namespace {

constexpr char32_t kLastCodePoint = 0x10ffff;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// An unsigned number of exactly `count` hexadecimal digits at the start of `text`.
std::optional<char32_t> hex_digits(std::string_view text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = text.data() + count;
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// A whole line as a number of that type; a leading plus is no part of Python's text.
template <class T>
std::pair<T, std::errc> whole_number(std::string_view line) {
  T value{};
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error == std::errc() && stop != line.data() + line.size()) {
    return {value, std::errc::invalid_argument};
  }
  return {value, error};
}

bool append_utf8(char32_t value, std::string& text) {
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (surrogate || value > kLastCodePoint) return false;
  if (value < 0x80) {
    text += static_cast<char>(value);
    return true;
  }
  const int num_trailing = value < 0x800 ? 1 : value < 0x10000 ? 2 : 3;
  constexpr std::array<unsigned, 4> kLead{0x00, 0xc0, 0xe0, 0xf0};
  text += static_cast<char>(kLead[static_cast<std::size_t>(num_trailing)] |
                            (value >> (6 * num_trailing)));
  for (int i = num_trailing - 1; i >= 0; --i) {
    text += static_cast<char>(0x80U | ((value >> (6 * i)) & 0x3fU));
  }
  return true;
}

/// What stands for one byte behind a backslash; `rest` begins behind it and moves on.
std::optional<char> escaped_byte(std::string_view& rest) {
  constexpr std::string_view kNames = "\\'\"nrtabfv";
  constexpr std::string_view kBytes = "\\'\"\n\r\t\a\b\f\v";
  if (rest.empty()) return std::nullopt;
  const char name = rest.front();
  rest.remove_prefix(1);
  if (const std::size_t at = kNames.find(name); at != std::string_view::npos) return kBytes[at];
  if (name != 'x') return std::nullopt;
  const auto value = hex_digits(rest, 2);
  if (!value) return std::nullopt;
  rest.remove_prefix(2);
  return static_cast<char>(*value);
}

}  // namespace

std::optional<PickleValue> int_literal(std::string_view line) {
  if (line == "00") return PickleValue(false);
  if (line == "01") return PickleValue(true);
  return long_literal(line);
}

std::optional<PickleValue> long_literal(std::string_view line) {
  if (line.ends_with('L')) line.remove_suffix(1);
  const auto [value, error] = whole_number<std::int64_t>(line);
  if (error == std::errc()) return PickleValue(value);
  const std::string_view digits = line.substr(line.starts_with('-') ? 1 : 0);
  if (error != std::errc::result_out_of_range || !std::ranges::all_of(digits, is_digit)) {
    return std::nullopt;
  }
  return PickleValue(PickleLong{std::as_bytes(std::span(line)), /*decimal=*/true});
}

std::optional<double> float_literal(std::string_view line) {
  const auto [value, error] = whole_number<double>(line);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::string> string_literal(std::string_view line) {
  if (line.size() < 2 || line.front() != line.back()) return std::nullopt;
  const char quote = line.front();
  if (quote != '\'' && quote != '"') return std::nullopt;
  std::string_view rest = line.substr(1, line.size() - 2);
  std::string text;
  while (!rest.empty()) {
    const char next = rest.front();
    rest.remove_prefix(1);
    if (next == quote) return std::nullopt;
    if (next != '\\') {
      text += next;
      continue;
    }
    const auto byte = escaped_byte(rest);
    if (!byte) return std::nullopt;
    text += *byte;
  }
  return text;
}

std::optional<std::string> unicode_literal(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    char32_t value = static_cast<unsigned char>(line.front());
    std::size_t size = 1;
    if (line.starts_with("\\u") || line.starts_with("\\U")) {
      const std::size_t num_digits = line[1] == 'u' ? 4 : 8;
      const auto escaped = hex_digits(line.substr(2), num_digits);
      if (!escaped) return std::nullopt;
      value = *escaped;
      size = 2 + num_digits;
    }
    if (!append_utf8(value, text)) return std::nullopt;
    line.remove_prefix(size);
  }
  return text;
}

}  // namespace omnifit::formats
