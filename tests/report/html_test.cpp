#include "report/html.hpp"
#include "tests/support/catch.hpp"

namespace omnifit {

using report::clean_text;
using report::escape_html;
using report::relative_href;

TEST_CASE("text is escaped and made valid UTF-8", "[report][unit]") {
  CHECK(escape_html(R"(<a href="x">Tom & 'Jerry'</a>)") ==
        "&lt;a href=&quot;x&quot;&gt;Tom &amp; &#39;Jerry&#39;&lt;/a&gt;");
  CHECK(escape_html("\xff<\xc3") == "\uFFFD&lt;\uFFFD");
  CHECK(clean_text("caf\u00e9 \u2264") == "caf\u00e9 \u2264");
  CHECK(clean_text("\x1b[31mred\x01") == "\uFFFD[31mred\uFFFD");
  CHECK(clean_text("a\u202eb") == "a\uFFFDb");
  CHECK(clean_text("two\nlines\tx") == "two lines x");
  CHECK(clean_text("two\nlines\tx", true) == "two\nlines\tx");
  CHECK(clean_text(std::string_view("nul\0", 4)) == "nul\uFFFD");
}

TEST_CASE("links stay relative and inside the project", "[report][unit]") {
  CHECK(relative_href("export/a b.onnx", "report.html") == "export/a%20b.onnx");
  CHECK(relative_href("export/a.onnx", "out/report.html") == "../export/a.onnx");
  CHECK(relative_href("out/a.onnx", "out/report.html") == "a.onnx");
  CHECK(relative_href("javascript:alert(1)", "report.html") == "javascript%3Aalert%281%29");
  CHECK(relative_href("export/\"><script>", "report.html") == "export/%22%3E%3Cscript%3E");
  CHECK_FALSE(relative_href("/etc/passwd", "report.html"));
  CHECK_FALSE(relative_href("../secret", "report.html"));
  CHECK_FALSE(relative_href("a/../../secret", "report.html"));
  CHECK_FALSE(relative_href("", "report.html"));
}

TEST_CASE("counts read as words up to twelve", "[report][unit]") {
  CHECK(report::number_word(1) == "one");
  CHECK(report::number_word(12, true) == "Twelve");
  CHECK(report::number_word(13, true) == "13");
  CHECK(report::plural(1, "unit", "units") == "unit");
  CHECK(report::plural(0, "unit", "units") == "units");
  CHECK(report::unbroken("1.2 ms") == "1.2\u00a0ms");
}

}  // namespace omnifit
