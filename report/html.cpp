#include "report/html.hpp"

#include "core/utf8.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>

namespace omnifit::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

/// C0 and C1 controls, and what reorders or hides the text around it.
bool is_unprintable(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || (point >= 0x202a && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069) || point == 0xfffe || point == 0xffff;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~' || c == '/';
}

}  // namespace

std::string clean_text(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const core::CodePoint point = core::decode_utf8(text, at);
    const bool is_line = point.value == '\n' || point.value == '\t';
    if (point.valid && is_line) {
      out += keep_lines ? text[at] : ' ';
    } else if (!point.valid || is_unprintable(point.value)) {
      out += kReplacement;
    } else {
      out += text.substr(at, point.size);
    }
    at += point.size;
  }
  return out;
}

std::string escape_html(std::string_view text, bool keep_lines) {
  std::string out;
  for (const char c : clean_text(text, keep_lines)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string unbroken(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += kNoBreakSpace;
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<std::string> relative_href(std::string_view file, std::string_view page) {
  const auto target = std::filesystem::path(file).lexically_normal();
  if (file.empty() || target.is_absolute() || *target.begin() == "..") return std::nullopt;
  const auto folder = std::filesystem::path(page).lexically_normal().parent_path();
  const auto link = target.lexically_relative(folder.empty() ? "." : folder).generic_string();
  if (link.empty()) return std::nullopt;
  std::string out;
  for (const char c : link) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string number_word(std::size_t count, bool capital) {
  constexpr std::array<std::string_view, 13> kWords = {"no",   "one",    "two",   "three", "four",
                                                       "five", "six",    "seven", "eight", "nine",
                                                       "ten",  "eleven", "twelve"};
  if (count >= kWords.size()) return fmt::format("{}", count);
  std::string word(kWords[count]);
  if (capital) word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  return std::string(count == 1 ? one : many);
}

}  // namespace omnifit::report
