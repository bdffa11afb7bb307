#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace omnifit::core {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Sets the lowest level written to stderr (default: warnings).
void set_log_level(LogLevel level);

void log_message(LogLevel level, std::string_view text);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace omnifit::core
