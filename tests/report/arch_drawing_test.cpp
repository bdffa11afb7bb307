#include "report/arch_drawing.hpp"
#include "tests/report/fixture/markup_check.hpp"
#include "tests/support/catch.hpp"

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

report::ArchInfo two_stages() {
  report::ArchInfo arch;
  arch.resolution_px = 28;
  arch.stages = {{24, 2, 3, {{3, 3.0}, {7, 6.0}}}, {32, 1, 1, {{5, 4.5}}}};
  return arch;
}

}  // namespace

TEST_CASE("an arch is drawn block by block", "[report][unit]") {
  const std::string svg = report::draw_arch(two_stages());
  CHECK(test::markup_problems(svg) == std::vector<std::string>{});
  CHECK_THAT(svg, ContainsSubstring("stage 1, block 2: kernel 7×7, expand ratio 6"));
  CHECK_THAT(svg, ContainsSubstring("stage 1, block 3: left out"));
  CHECK_THAT(svg, ContainsSubstring("stage 2, block 1: kernel 5×5, expand ratio 4.5"));
  CHECK_THAT(svg, ContainsSubstring("aria-label=\"28 px, 2-1 blocks\""));
}

TEST_CASE("a larger kernel is taller and a larger expand ratio wider", "[report][unit]") {
  const std::string svg = report::draw_arch(two_stages());
  const auto heights = test::attribute_values(svg, "height");
  const auto widths = test::attribute_values(svg, "width");
  REQUIRE(heights.size() == 4);  // the picture, then its bars
  CHECK(std::stod(heights[1]) < std::stod(heights[3]));
  CHECK(std::stod(heights[3]) < std::stod(heights[2]));
  CHECK(std::stod(widths[1]) < std::stod(widths[3]));
  CHECK(std::stod(widths[3]) < std::stod(widths[2]));
}

TEST_CASE("the legend names what the archs use and nothing else", "[report][unit]") {
  const std::string legend = report::draw_arch_legend({two_stages()});
  CHECK(test::markup_problems(legend) == std::vector<std::string>{});
  CHECK_THAT(legend, ContainsSubstring("kernel 7×7"));
  CHECK_THAT(legend, ContainsSubstring("expand ratio 4.5"));
  CHECK_THAT(legend, ContainsSubstring("block left out"));
  CHECK(legend.find("expand ratio 1<") == std::string::npos);
  CHECK(report::draw_arch_legend({report::ArchInfo{}}).empty());
  CHECK(report::draw_arch(report::ArchInfo{}).empty());
  CHECK(report::describe_arch(report::ArchInfo{}).empty());
}

}  // namespace omnifit
