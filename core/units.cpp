#include "core/units.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>
#include <string_view>

namespace omnifit::core {
namespace {

/// Divides by 1000 until the value, rounded as it will be printed, stays below 1000.
/// @return index of the prefix reached, at most `last`.
std::size_t scale_to_prefix(double& value, double rounds_up_at, std::size_t last) {
  std::size_t prefix = 0;
  while (prefix < last && std::abs(value) >= rounds_up_at) {
    value /= 1000.0;
    ++prefix;
  }
  return prefix;
}

/// Three significant digits, for |value| < 999.5.
std::string three_digits(double value) {
  const double size = std::abs(value);
  const int decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

}  // namespace

std::string format_count(double count) {
  if (!std::isfinite(count)) return fmt::format("{}", count);
  constexpr std::array<std::string_view, 7> kPrefixes = {"", "k", "M", "G", "T", "P", "E"};
  double value = count;
  const std::size_t prefix = scale_to_prefix(value, 999.5, kPrefixes.size() - 1);
  if (prefix == 0) {
    return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
  }
  return fmt::format("{} {}", three_digits(value), kPrefixes[prefix]);
}

std::string format_bytes(double size_bytes) {
  if (!std::isfinite(size_bytes)) return fmt::format("{} B", size_bytes);
  constexpr std::array<std::string_view, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  if (std::abs(size_bytes) < 999.5) return fmt::format("{:.0f} B", size_bytes);
  double value = size_bytes / 1000.0;
  const std::size_t prefix = 1 + scale_to_prefix(value, 999.95, kUnits.size() - 2);
  return fmt::format("{:.1f} {}", value, kUnits[prefix]);
}

std::string format_duration(double duration_s) {
  if (!std::isfinite(duration_s)) return fmt::format("{} s", duration_s);
  if (duration_s < 0) return "-" + format_duration(-duration_s);
  if (duration_s == 0) return "0 s";
  if (duration_s < 9.95) return fmt::format("{:#.2g} s", duration_s);
  const auto seconds = static_cast<std::int64_t>(std::llround(duration_s));
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  const std::int64_t minutes = std::llround(duration_s / 60.0);
  if (minutes / 60 < 24) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  const std::int64_t hours = std::llround(duration_s / 3600.0);
  return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

std::string format_ms(double latency_ms) {
  const double size = std::abs(latency_ms);
  if (!std::isfinite(latency_ms) || size == 0) return fmt::format("{} ms", latency_ms);
  if (size < 0.9995) return fmt::format("{:#.3g} ms", latency_ms);
  const int decimals = size < 9.9995 ? 3 : size < 999.95 ? 1 : 0;
  return fmt::format("{:.{}f} ms", latency_ms, decimals);
}

std::string format_percent(double fraction) { return fmt::format("{:.2f} %", fraction * 100.0); }

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

}  // namespace omnifit::core
