#pragma once

#include <cstdint>
#include <string>

namespace omnifit::core {

/// "950", "12.3 k", "4.98 M", "1.20 G": counts for people, three significant digits.
std::string format_count(double count);
/// "431 B", "12.4 kB", "3.1 MB" (powers of 1000).
std::string format_bytes(double size_bytes);
/// "0.42 s", "12 s", "3 min 05 s", "1 h 02 min".
std::string format_duration(double duration_s);
/// "0.0421 ms", "1.234 ms", "12.3 ms": three or four significant digits.
std::string format_ms(double latency_ms);
/// A fraction as percent with two decimals: 0.9213 → "92.13 %".
std::string format_percent(double fraction);
/// UTC, "2026-01-31T12:34:56Z".
std::string utc_now();

}  // namespace omnifit::core
