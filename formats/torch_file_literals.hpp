#pragma once

#include "formats/torch_file_pickle.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Values that pickle protocols 0 and 1 write as lines of text, as Python 2 did. For the sources of
/// this folder alone.
namespace omnifit::formats {

/// INT: "12", "-5", and for truth values "00" and "01". LONG: the same digits and perhaps an "L".
/// Integers beyond 64 bits come as PickleLong. Nothing if the line is no such number.
std::optional<PickleValue> int_literal(std::string_view line);
std::optional<PickleValue> long_literal(std::string_view line);

/// FLOAT: "2.5", "1e-05", "inf", "-inf", "nan".
std::optional<double> float_literal(std::string_view line);

/// STRING: the bytes of a quoted Python text, escapes resolved.
std::optional<std::string> string_literal(std::string_view line);

/// UNICODE: Latin-1 with \uXXXX and \UXXXXXXXX for the rest, as UTF-8. A lone surrogate is nothing
/// that UTF-8 can hold.
std::optional<std::string> unicode_literal(std::string_view line);

}  // namespace omnifit::formats
