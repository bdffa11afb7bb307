#include "pipeline/budget.hpp"
#include "tests/support/catch.hpp"

using namespace omnifit;
using namespace omnifit::pipeline;

TEST_CASE("bounds are read in every unit", "[pipeline][unit]") {
  CHECK(parse_bound(Cost::kLatency, "12 ms").amount == 12.0);
  CHECK(parse_bound(Cost::kLatency, "800us").amount == Approx(0.8));
  CHECK(parse_bound(Cost::kLatency, "0.5 s").amount == 500.0);
  CHECK(parse_bound(Cost::kMacs, "3.2 M").amount == Approx(3.2e6));
  CHECK(parse_bound(Cost::kMacs, "1000").amount == 1000.0);
  CHECK(parse_bound(Cost::kParams, "2k").amount == 2000.0);
  CHECK(parse_bound(Cost::kPeakMemory, "64 KiB").amount == 65536.0);
  CHECK(parse_bound(Cost::kModelSize, " 1 MB ").amount == 1e6);
  CHECK_FALSE(parse_bound(Cost::kModelSize, "1 MB").relative);
}

TEST_CASE("relative bounds lie between the smallest and the largest subnet", "[pipeline][unit]") {
  const Bound bound = parse_bound(Cost::kLatency, "40%");
  CHECK(bound.relative);
  CHECK(bound.resolve(1.0, 6.0) == Approx(3.0));
  CHECK(parse_bound(Cost::kLatency, "0%").resolve(1.0, 6.0) == 1.0);
  CHECK(parse_bound(Cost::kLatency, "100 %").resolve(1.0, 6.0) == 6.0);
}

TEST_CASE("malformed bounds say what is allowed", "[pipeline][error]") {
  const char* text = GENERATE("", "ms", "12", "12 kg", "-3 ms", "0 ms", "101%", "-1%", "nan ms",
                              "inf ms", "1e999 ms", "12 ms 3");
  CAPTURE(text);
  CHECK_THROWS_WITH(parse_bound(Cost::kLatency, text),
                    "must be a positive amount such as '12 ms' (units: ms, us, s) or a share of "
                    "the space from 0% to 100% such as "
                    "'40%', got '" +
                        std::string(text) + "'");
}

TEST_CASE("bounds of any quantity on any device", "[pipeline][unit]") {
  const Bound latency = parse_bound("latency@note10 <= 20 ms");
  CHECK(latency.quantity == Quantity{Cost::kLatency, "note10"});
  CHECK(latency.quantity.key() == "latency@note10");
  CHECK(latency.quantity.metric() == "latency_ms@note10");
  CHECK(latency.amount == 20.0);
  CHECK_FALSE(latency.at_least);
  const Bound share = parse_bound("macs<=40%");
  CHECK(share.quantity == Quantity{Cost::kMacs, {}});
  CHECK(share.relative);
  const Bound accuracy = parse_bound("top1 >= 75 %");
  CHECK(accuracy.quantity == Quantity{});
  CHECK(accuracy.at_least);
  CHECK(accuracy.amount == Approx(0.75));
  CHECK_FALSE(accuracy.relative);
  CHECK(parse_bound("top1 >= 0.75").amount == Approx(0.75));
  const Limit limit{accuracy.quantity, accuracy.amount, accuracy.at_least};
  CHECK(limit.text() == "top1 >= 75.00 %");
  CHECK(limit.kept_by(0.75));
  CHECK_FALSE(limit.kept_by(0.74));
}

TEST_CASE("malformed bounds of a budget's list say what is allowed", "[pipeline][error]") {
  const char* text = GENERATE("", "latency", "latency < 20 ms", "latency <=", "lat <= 20 ms",
                              "macs@phone <= 3 M", "latency@ <= 20 ms", "top1@phone >= 0.5",
                              "top1 >= 75 ms", "top1 >= 150 %", "macs <= 3 ms", "<= 3 M");
  CAPTURE(text);
  CHECK_THROWS_AS(parse_bound(text), ConfigError);
  CHECK_THROWS_WITH(parse_bound("lat <= 20 ms"),
                    Catch::Matchers::ContainsSubstring("quantities: top1, latency, macs"));
  CHECK_THROWS_WITH(parse_bound("top1 >= 150 %"),
                    Catch::Matchers::ContainsSubstring("an accuracy is a share of the images"));
}

TEST_CASE("a budget names itself", "[pipeline][unit]") {
  BudgetConfig budget;
  budget.latency = "40%";
  budget.macs = "3.2 M";
  CHECK(budget.text() == "latency <= 40%, macs <= 3.2 M");
  CHECK(budget.slug() == "latency-40pct-macs-3.2-M");
  CHECK(budget.bounds().size() == 2);
  budget.more = {"top1 >= 75 %"};
  CHECK(budget.text() == "latency <= 40%, macs <= 3.2 M, top1 >= 75 %");
  CHECK(budget.bounds().size() == 3);
  budget.name = "phone";
  CHECK(budget.slug() == "phone");
}

TEST_CASE("costs are printed in their units", "[pipeline][unit]") {
  CHECK(format_cost(Cost::kLatency, 1.5).find("ms") != std::string::npos);
  CHECK(format_cost(Cost::kModelSize, 2e6).find("MB") != std::string::npos);
  for (const Cost cost : all_costs()) CHECK_FALSE(cost_key(cost).empty());
}
