#include "report/label_layout.hpp"
#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <cmath>

namespace omnifit {

using report::Box;
using report::place_labels;

namespace {

constexpr Box kArea{40.0, 20.0, 280.0, 220.0};

std::size_t count_placed(const std::vector<std::optional<report::LabelPlace>>& places) {
  std::size_t count = 0;
  for (const auto& place : places) count += place.has_value() ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("labels never overlap nor leave the plot", "[report][property]") {
  auto rng = core::Rng::stream(5, core::Purpose::kTest);
  for (int round = 0; round < 60; ++round) {
    std::vector<report::LabelRequest> requests;
    std::vector<Box> markers;
    const double spread = rng.uniform(5.0, 250.0);
    for (int i = 0; i < 14; ++i) {
      const double x = std::min(kArea.right(), kArea.left + rng.uniform() * spread);
      const double y = std::min(kArea.bottom(), kArea.top + rng.uniform() * spread);
      requests.push_back({x, y, std::string(3 + rng.below(18), 'n')});
      markers.push_back({x - 4, y - 4, 8, 8});
    }
    const auto places = place_labels(requests, markers, kArea, 12.0);
    REQUIRE(places.size() == requests.size());
    REQUIRE(count_placed(places) >= 8);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (!places[i]) continue;
      CAPTURE(round, i);
      REQUIRE(kArea.contains(places[i]->box));
      for (std::size_t j = 0; j < i; ++j) {
        if (places[j]) REQUIRE_FALSE(places[i]->box.overlaps(places[j]->box));
      }
    }
  }
}

TEST_CASE("a lonely label stands right of its point without a leader", "[report][unit]") {
  const auto places = place_labels({{100.0, 100.0, "largest"}}, {{96, 96, 8, 8}}, kArea, 12.0);
  REQUIRE(places[0]);
  CHECK(places[0]->box.left > 104.0);
  CHECK_FALSE(places[0]->leader);
  const auto at_edge = place_labels({{318.0, 100.0, "largest"}}, {}, kArea, 12.0);
  REQUIRE(at_edge[0]);
  CHECK(at_edge[0]->box.right() < 318.0);
}

TEST_CASE("labels of one point move apart and get leaders", "[report][unit]") {
  const std::vector<report::LabelRequest> requests(9, {180.0, 130.0, "latency"});
  const auto places = place_labels(requests, {}, kArea, 12.0);
  CHECK(count_placed(places) == 9);
  CHECK(places.back()->leader);
}

TEST_CASE("a label without room gets no place", "[report][unit]") {
  const Box tiny{0.0, 0.0, 30.0, 16.0};
  CHECK_FALSE(place_labels({{15.0, 8.0, "a label far too long"}}, {}, tiny, 12.0)[0]);
}

TEST_CASE("labels avoid markers where there is room", "[report][unit]") {
  const std::vector<Box> markers = {{108.0, 90.0, 60.0, 20.0}};
  const auto places = place_labels({{100.0, 100.0, "winner"}}, markers, kArea, 12.0);
  REQUIRE(places[0]);
  CHECK_FALSE(places[0]->box.overlaps(markers[0]));
}

TEST_CASE("text width grows with characters, not bytes", "[report][unit]") {
  CHECK(report::text_width_px("iii", 12.0) < report::text_width_px("mmm", 12.0));
  CHECK(report::text_width_px("\u2264", 12.0) < report::text_width_px("nnn", 12.0));
  CHECK(report::text_width_px("", 12.0) == 0.0);
}

}  // namespace omnifit
