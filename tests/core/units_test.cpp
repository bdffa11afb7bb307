#include "core/units.hpp"

#include "tests/support/catch.hpp"

#include "core/table.hpp"

#include "core/error.hpp"

#include <limits>
#include <regex>

using namespace omnifit::core;

TEST_CASE("counts keep three significant digits", "[core][unit]") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(950) == "950");
  CHECK(format_count(0.5) == "0.5");
  CHECK(format_count(999) == "999");
  CHECK(format_count(999.6) == "1.00 k");
  CHECK(format_count(12345) == "12.3 k");
  CHECK(format_count(4980000) == "4.98 M");
  CHECK(format_count(1.2e9) == "1.20 G");
  CHECK(format_count(999999) == "1.00 M");
  CHECK(format_count(99960) == "100 k");
  CHECK(format_count(-1500) == "-1.50 k");
  CHECK(format_count(2e19) == "20.0 E");
  CHECK(format_count(std::numeric_limits<double>::infinity()) == "inf");
}

TEST_CASE("sizes, times, latencies and percentages read as documented", "[core][unit]") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(431) == "431 B");
  CHECK(format_bytes(12400) == "12.4 kB");
  CHECK(format_bytes(3.1e6) == "3.1 MB");
  CHECK(format_bytes(999.7) == "1.0 kB");
  CHECK(format_bytes(999960) == "1.0 MB");

  CHECK(format_duration(0) == "0 s");
  CHECK(format_duration(0.42) == "0.42 s");
  CHECK(format_duration(0.0042) == "0.0042 s");
  CHECK(format_duration(3.21) == "3.2 s");
  CHECK(format_duration(9.96) == "10 s");
  CHECK(format_duration(12) == "12 s");
  CHECK(format_duration(59.6) == "1 min 00 s");
  CHECK(format_duration(185) == "3 min 05 s");
  CHECK(format_duration(3599.7) == "1 h 00 min");
  CHECK(format_duration(3720) == "1 h 02 min");
  CHECK(format_duration(86399) == "1 d 00 h");
  CHECK(format_duration(97200) == "1 d 03 h");
  CHECK(format_duration(-12) == "-12 s");

  CHECK(format_ms(0) == "0 ms");
  CHECK(format_ms(0.0421) == "0.0421 ms");
  CHECK(format_ms(0.1) == "0.100 ms");
  CHECK(format_ms(0.99996) == "1.000 ms");
  CHECK(format_ms(1.234) == "1.234 ms");
  CHECK(format_ms(9.9996) == "10.0 ms");
  CHECK(format_ms(12.34) == "12.3 ms");
  CHECK(format_ms(123.44) == "123.4 ms");
  CHECK(format_ms(1234.4) == "1234 ms");

  CHECK(format_percent(0.9213) == "92.13 %");
  CHECK(format_percent(1) == "100.00 %");
}

TEST_CASE("the time stamp is UTC in ISO form", "[core][unit]") {
  const std::regex form(R"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ)");
  CHECK(std::regex_match(utc_now(), form));
}

TEST_CASE("a table aligns by display width", "[core][unit]") {
  TextTable table({{"device", Align::kLeft}, {"latency", Align::kRight}, {"note", Align::kLeft}});
  table.add_row(
      {"K\xc3\xbc"
       "che",
       "12.3 ms", ""});
  table.add_row({"e\xcc\x81t\xc3\xa9", "1.234 ms", "\xe2\x89\xa4 5"});
  CHECK(table.str() ==
        "device   latency  note\n"
        "------  --------  ----\n"
        "K\xc3\xbc"
        "che    12.3 ms\n"
        "e\xcc\x81t\xc3\xa9     1.234 ms  \xe2\x89\xa4 5\n");
}

TEST_CASE("display width counts characters, not bytes", "[core][unit]") {
  CHECK(display_width("") == 0);
  CHECK(display_width("abc") == 3);
  CHECK(display_width("\xc3\xa9") == 1);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(display_width("\xe2\x82\xac 5") == 3);
  CHECK(display_width("\xff\xfe") == 2);  // broken text still takes up room
}

TEST_CASE("a row of the wrong length is a bug", "[core][error]") {
  TextTable table({{"a", Align::kLeft}, {"b", Align::kLeft}});
  CHECK_THROWS_AS(table.add_row({"1"}), omnifit::BugError);
  CHECK(table.str() == "a  b\n-  -\n");
}
