#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace omnifit::report {

/// `text` as valid UTF-8 without control characters: every offending byte or character becomes
/// U+FFFD. Newlines and tabs stay only if `keep_lines`; otherwise they become spaces.
std::string clean_text(std::string_view text, bool keep_lines = false);

/// `clean_text` with &, <, > and both quotes as entities: safe as content and inside quoted
/// attributes.
std::string escape_html(std::string_view text, bool keep_lines = false);

/// Spaces as no-break spaces, so that a number is not torn from its unit.
std::string unbroken(std::string_view text);

/// Reference to a file from the page, both relative to the project file; percent-encoded, never
/// leaving the relative form. Nothing for absolute paths and paths that climb out of the project
/// folder.
std::optional<std::string> relative_href(std::string_view file, std::string_view page);

/// "No", "One" … "Twelve", then digits; for the start of sentences. Lower case unless `capital`.
std::string number_word(std::size_t count, bool capital = false);

/// `one` if the count is 1, else `many`.
std::string plural(std::size_t count, std::string_view one, std::string_view many);

}  // namespace omnifit::report
