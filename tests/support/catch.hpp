#pragma once
// The only Catch2 include of the tests: builds with v2 (one header) and v3.
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_adapters.hpp>
#include <catch2/generators/catch_generators_random.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
namespace Catch::Matchers {
/// v3's name for the substring matcher.
inline auto ContainsSubstring(const std::string& text) { return Contains(text); }
}  // namespace Catch::Matchers
#endif

/// A test that needs the shared data sets: skipped aloud when they are not there.
#define OMNIFIT_REQUIRE_DATA(relative)                                                     \
  if (!std::filesystem::exists(std::filesystem::path(OMNIFIT_SHARED_DATA) / (relative))) { \
    WARN("SKIPPED: data set not found: " OMNIFIT_SHARED_DATA "/" << (relative));           \
    return;                                                                                \
  }

#include <filesystem>
