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

TEST_CASE("a budget names itself", "[pipeline][unit]") {
  BudgetConfig budget;
  budget.latency = "40%";
  budget.macs = "3.2 M";
  CHECK(budget.text() == "latency <= 40%, macs <= 3.2 M");
  CHECK(budget.slug() == "latency-40pct-macs-3.2-M");
  CHECK(budget.bounds().size() == 2);
  budget.name = "phone";
  CHECK(budget.slug() == "phone");
}

TEST_CASE("costs are printed in their units", "[pipeline][unit]") {
  CHECK(format_cost(Cost::kLatency, 1.5).find("ms") != std::string::npos);
  CHECK(format_cost(Cost::kModelSize, 2e6).find("MB") != std::string::npos);
  for (const Cost cost : all_costs()) CHECK_FALSE(cost_key(cost).empty());
}
