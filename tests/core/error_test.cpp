#include "core/error.hpp"

#include "tests/support/catch.hpp"

#include "core/utf8.hpp"
#include "core/version.hpp"

#include <algorithm>
#include <string>
#include <string_view>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a source location prints as an editor expects it", "[core][unit]") {
  CHECK(SourceLocation{"job.yaml", 14, 3}.str() == "job.yaml:14:3");
  CHECK(SourceLocation{"job.yaml", 0, 0}.str() == "job.yaml");
  CHECK(SourceLocation{"<cli>", 0, 0}.str() == "<cli>");
}

TEST_CASE("every error carries its exit code", "[core][unit]") {
  CHECK(ConfigError("x").exit_code() == ExitCode::kUserInput);
  CHECK(DataError("x").exit_code() == ExitCode::kUserInput);
  CHECK(StateError("x").exit_code() == ExitCode::kUserInput);
  CHECK(GoalError("x").exit_code() == ExitCode::kGoalMissed);
  CHECK(EnvironmentError("x").exit_code() == ExitCode::kEnvironment);
  CHECK(Interrupted().exit_code() == ExitCode::kInterrupted);
  CHECK(std::string(ConfigError({"a.yaml", 2, 1}, "wrong").what()) == "a.yaml:2:1: wrong");
}

TEST_CASE("a failed check names the condition, the place and the values", "[core][error]") {
  const auto fail = [] { OMNIFIT_CHECK(1 + 1 == 3, "sum is {}", 2); };
  CHECK_THROWS_AS(fail(), BugError);
  CHECK_THROWS_WITH(fail(), ContainsSubstring("sum is 2 (1 + 1 == 3)"));
  CHECK_THROWS_WITH(fail(), ContainsSubstring("error_test.cpp:"));
  CHECK_NOTHROW([] { OMNIFIT_CHECK(true, "never formatted"); }());
}

TEST_CASE("the version is that of the build and the revision is one of git's", "[core][unit]") {
  CHECK(std::string(core::version()) == "0.1.0");
  std::string revision = core::git_revision();
  CAPTURE(revision);
  if (revision == "unknown") return;
  if (revision.back() == '+') revision.pop_back();
  CHECK(revision.size() >= 7);
  CHECK(revision.find_first_not_of("0123456789abcdef") == std::string::npos);
}

TEST_CASE("UTF-8 is decoded strictly", "[core][unit]") {
  using core::decode_utf8;
  CHECK(decode_utf8("a", 0).value == U'a');
  CHECK(decode_utf8("\xc3\xa9", 0).value == U'\u00e9');
  CHECK(decode_utf8("\xe2\x82\xac", 0).value == U'\u20ac');
  CHECK(decode_utf8("x\xf0\x9f\x98\x80", 1).value == U'\U0001f600');
  CHECK(decode_utf8("x\xf0\x9f\x98\x80", 1).size == 4);
  CHECK(core::is_utf8("gr\xc3\xbc\xc3\x9f"));
  // Lone continuation, cut short, overlong, surrogate, beyond Unicode, never a lead byte.
  for (std::string_view text : {"\x80", "\xc3", "\xe2\x82", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf",
                                "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    CHECK_FALSE(core::is_utf8(text));
    CHECK(decode_utf8(text, 0).size == 1);
  }
}
