#include "latency_lut/torch/torch_timer.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "space/lower.hpp"
#include "supernet/thread_policy.hpp"
#include "tests/supernet/network_support.hpp"

#include <nlohmann/json.hpp>

#include <map>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;

namespace {

latency::Protocol quick() {
  latency::Protocol protocol;
  protocol.warmup_runs = 1;
  protocol.min_samples = 6;
  protocol.max_samples = 8;
  protocol.min_sample_ms = 0.05;
  protocol.max_unit_s = 0.2;
  return protocol;
}

}  // namespace

TEST_CASE("The LibTorch timer measures units and networks", "[latency][contract]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const auto timer = latency::make_torch_timer({1, "cpu"});
  const std::vector<space::LayerSpec> specs = space::distinct_units(space, {3, 5});
  std::vector<space::NetworkPlan> units;
  for (const auto& spec : specs) units.push_back(latency::unit_plan(spec));
  std::map<std::size_t, latency::TimerResult> results;
  timer->time(units, quick(), nullptr, [&](std::size_t i, const latency::TimerResult& result) {
    CHECK(results.emplace(i, result).second);
  });
  REQUIRE(results.size() == specs.size());
  for (const auto& [i, result] : results) {
    CAPTURE(space::spec_text(specs[i]));
    const auto* samples = std::get_if<latency::Samples>(&result);
    REQUIRE(samples != nullptr);
    CHECK(samples->run_ms.size() >= 5);
    for (const double run_ms : samples->run_ms) CHECK((run_ms > 0.0 && run_ms < 1000.0));
  }
  const auto plan = space::lower(space, space::largest(space), {3, 5});
  CHECK(std::holds_alternative<latency::Samples>(latency::time_one(*timer, plan, quick())));
}

TEST_CASE("The LibTorch timer runs networks in turns with a reference", "[latency][contract]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const auto timer = latency::make_torch_timer({1, "cpu"});
  const auto largest = space::lower(space, space::largest(space), {3, 5});
  const auto reference = space::lower(space, space::smallest(space), {3, 5});
  const std::vector<space::NetworkPlan> plans{largest, latency::unit_plan(largest.units[0].spec)};
  std::map<std::size_t, latency::Samples> results;
  const auto on_result = [&](std::size_t i, const latency::TimerResult& result) {
    results.emplace(i, std::get<latency::Samples>(result));
  };
  timer->time(plans, quick(), &reference, on_result);
  REQUIRE(results.size() == 2);
  CHECK(results[0].reference_ms.size() == results[0].run_ms.size());
  for (const double run_ms : results[0].reference_ms) CHECK((run_ms > 0.0 && run_ms < 1000.0));
  CHECK(results[1].reference_ms.empty());

  // One that cannot be run is done without.
  space::NetworkPlan broken = reference;
  std::swap(broken.units.front(), broken.units.back());
  results.clear();
  timer->time(plans, quick(), &broken, on_result);
  REQUIRE(results.size() == 2);
  CHECK(results[0].reference_ms.empty());
}

TEST_CASE("The LibTorch timer describes its device in JSON", "[latency][unit]") {
  const std::string text = latency::make_torch_timer({2, "cpu"})->describe();
  const auto description = nlohmann::json::parse(text);
  CHECK(description["runtime"] == "libtorch");
  CHECK(description["threads"] == 2);
  CHECK(description["version"] == supernet::libtorch_version());
  CHECK_FALSE(description["cpu"].get<std::string>().empty());
  // Part of the device's identity: another wording would measure every CPU anew.
  CHECK_THAT(text, ContainsSubstring(R"("device": "cpu", "cpu": ")"));
}

TEST_CASE("The LibTorch timer turns failures into values and stops when asked",
          "[latency][error]") {
  const auto timer = latency::make_torch_timer({1, "cpu"});
  latency::Protocol too_large = quick();
  too_large.batch_size = 2'000'000'000;
  const auto plan = latency::unit_plan(space::PoolSpec{4096, 64});
  const auto result = latency::time_one(*timer, plan, too_large);
  const auto* failure = std::get_if<latency::MeasurementFailure>(&result);
  REQUIRE(failure != nullptr);
  CHECK_FALSE(failure->reason.empty());

  core::request_stop(true);
  CHECK_THROWS_AS(latency::time_one(*timer, plan, quick()), Interrupted);
  core::request_stop(false);

  CHECK_THROWS_MATCHES(latency::make_torch_timer({1, "tpu"}), ConfigError,
                       Catch::Matchers::Message("device 'tpu' is not known; allowed: cpu, cuda"));
  CHECK_THROWS_MATCHES(latency::make_torch_timer({0, "cpu"}), ConfigError,
                       Catch::Matchers::Message("threads must be at least 1, got 0"));
  if (!supernet::cuda_available()) {
    CHECK_THROWS_MATCHES(latency::make_torch_timer({1, "cuda"}), EnvironmentError,
                         Catch::Matchers::Message("device 'cuda': LibTorch finds no CUDA device"));
  }
}
