#include "report/svg_plot.hpp"
#include "core/error.hpp"
#include "report/svg_marker.hpp"
#include "tests/report/fixture/markup_check.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <set>

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

report::Plot small_plot() {
  report::Plot plot;
  plot.description = "loss & \"gain\"";
  plot.x.title = "steps";
  plot.y.title = "loss";
  report::PlotSeries series;
  series.name = "a <b>";
  series.join = report::Join::kLine;
  series.points = {{0.0, 1.0, "first < second", ""}, {1.0, NAN, "", ""}, {2.0, 3.0, "", "end"}};
  plot.series = {series};
  return plot;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++number;
  }
  return number;
}

}  // namespace

TEST_CASE("a plot is well-formed, labelled and leaves out what is not finite", "[report][unit]") {
  const std::string svg = report::render_svg(small_plot(), report::kWidePlot);
  CHECK(test::markup_problems(svg) == std::vector<std::string>{});
  CHECK(count(svg, "<circle") == 2);
  CHECK_THAT(svg, ContainsSubstring(">steps</text>"));
  CHECK_THAT(svg, ContainsSubstring(">loss</text>"));
  CHECK_THAT(svg, ContainsSubstring(">end</text>"));
  CHECK_THAT(svg, ContainsSubstring("<title>first &lt; second</title>"));
  CHECK_THAT(svg, ContainsSubstring("aria-label=\"loss &amp; &quot;gain&quot;\""));
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find(" id=") == std::string::npos);
}

TEST_CASE("phone plots have no tooltips, since nothing hovers there", "[report][unit]") {
  const std::string svg = report::render_svg(small_plot(), report::kNarrowPlot);
  CHECK(svg.find("<title>") == std::string::npos);
}

TEST_CASE("steps hold a value until the next point", "[report][unit]") {
  report::Plot plot = small_plot();
  plot.series[0].points = {{0.0, 0.0, "", ""}, {1.0, 1.0, "", ""}};
  plot.series[0].join = report::Join::kSteps;
  const std::string svg = report::render_svg(plot, report::kWidePlot);
  const auto points = test::attribute_values(svg, "points");
  REQUIRE(points.size() == 1);
  CHECK(count(points[0], ",") == 3);
}

TEST_CASE("both axes of an identity plot share one range", "[report][unit]") {
  report::Plot plot = small_plot();
  plot.identity_band = 0.1;
  const std::string svg = report::render_svg(plot, report::kSquarePlot);
  CHECK_THAT(svg, ContainsSubstring("class=\"band\""));
  CHECK_THAT(svg, ContainsSubstring("class=\"identity\""));
  plot.identity_band = 0.0;
  CHECK(report::render_svg(plot, report::kSquarePlot).find("band") == std::string::npos);
}

TEST_CASE("names of marks that stand close go to rows of their own", "[report][unit]") {
  report::Plot plot = small_plot();
  plot.marks = {{0.0, "full"}, {0.02, "kernel"}, {1.5, "depth"}};
  const std::string svg = report::render_svg(plot, report::kNarrowPlot);
  std::set<std::string> heights;
  for (std::size_t at = svg.find("markname"); at != std::string::npos;
       at = svg.find("markname", at + 1)) {
    heights.insert(test::attribute_values(svg.substr(at, 120), "y").front());
  }
  CHECK(heights.size() == 2);
}

TEST_CASE("a mark outside the plot's range is not drawn", "[report][unit]") {
  report::Plot plot = small_plot();
  plot.x.range = report::Interval{0.0, 2.0};
  plot.marks = {{9.0, "far"}};
  CHECK(report::render_svg(plot, report::kWidePlot).find("far") == std::string::npos);
}

TEST_CASE("a plot without finite points is a sentence, never empty axes", "[report][unit]") {
  report::Plot plot = small_plot();
  plot.series[0].points = {{NAN, 1.0, "", ""}, {1.0, INFINITY, "", ""}};
  CHECK_FALSE(report::has_points(plot));
  CHECK_THAT(report::render_figure(plot, "caption"), ContainsSubstring("no finite value to draw"));
  CHECK(report::render_figure(plot, "caption").find("<svg") == std::string::npos);
  CHECK_THAT(report::render_small_figure(plot, "name", "caption"),
             ContainsSubstring("no finite value"));
  CHECK_THROWS_AS(report::render_svg(plot, report::kWidePlot), BugError);
}

TEST_CASE("a figure carries both widths, a legend and its caption", "[report][unit]") {
  const std::string figure = report::render_figure(small_plot(), "what one <em>sees</em>");
  CHECK(test::markup_problems(figure) == std::vector<std::string>{});
  CHECK(count(figure, "class=\"plot\"") == 2);
  CHECK_THAT(figure, ContainsSubstring("</svg>a &lt;b&gt;</li>"));
  CHECK_THAT(figure, ContainsSubstring("<figcaption>what one <em>sees</em></figcaption>"));
}

TEST_CASE("a single point has room around it", "[report][unit]") {
  report::Plot plot = small_plot();
  plot.series[0].points = {{5.0, 0.0, "", "only"}};
  const std::string svg = report::render_svg(plot, report::kSmallPlot);
  CHECK_THAT(svg, ContainsSubstring(">only</text>"));
}

TEST_CASE("markers differ in shape, not only in colour", "[report][unit]") {
  std::set<std::string> shapes;
  for (const auto shape :
       {report::Marker::kCircle, report::Marker::kSquare, report::Marker::kDiamond,
        report::Marker::kTriangle, report::Marker::kTriangleDown, report::Marker::kCross}) {
    const std::string svg = report::marker_svg({shape, 0, true, 4.0}, 10.0, 10.0, "tip");
    CHECK(test::markup_problems(svg) == std::vector<std::string>{});
    shapes.insert(svg);
  }
  CHECK(shapes.size() == 6);
  CHECK_THROWS_AS(report::marker_svg({report::Marker::kNone, 0, true, 4.0}, 0, 0, ""), BugError);
}

}  // namespace omnifit
