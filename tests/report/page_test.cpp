#include "report/report.hpp"
#include "tests/report/fixture/filled_project.hpp"
#include "tests/report/fixture/markup_check.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <fstream>

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string page_of(store::Database& database, const report::ReportRequest& request) {
  return report::render_html(report::load_report_data(database, request));
}

}  // namespace

TEST_CASE("a finished job renders as one well-formed page", "[report][unit]") {
  test::TempDir folder;
  store::Database database(folder / "project.db", store::Database::Mode::kReadWrite);
  const std::string html = page_of(database, test::fill_project(database));
  if (const char* out = std::getenv("OMNIFIT_REPORT_PAGE")) std::ofstream(out) << html;
  CHECK(test::markup_problems(html) == std::vector<std::string>{});
}

}  // namespace omnifit
