#include "core/error.hpp"

namespace omnifit {

std::string SourceLocation::str() const {
  if (line <= 0) return file;
  return fmt::format("{}:{}:{}", file, line, column);
}

namespace detail {

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  throw BugError(fmt::format("check failed at {}:{}: {} ({})", file, line, message, condition));
}

}  // namespace detail
}  // namespace omnifit
