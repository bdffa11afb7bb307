#include "search/random_search.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace omnifit::search {
namespace {

/// Keeps what a search tells of itself.
class Listener final : public core::ProgressSink {
 public:
  void begin(std::string_view, std::int64_t, std::string_view, std::int64_t) override {}
  void advance(std::int64_t, std::string_view detail) override { details.emplace_back(detail); }
  void message(std::string_view) override {}
  void end() override {}

  std::vector<std::string> details;
};

TEST_CASE("the progress line tells the best value, the feasible share and the hypervolume",
          "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const test::Additive model(space);
  test::FakeEvaluator evaluator(
      {{{.name = "top1", .maximise = true}, [&](const space::Arch& a) { return model.top1(a); }},
       {{.name = "latency_ms", .maximise = false}, [&](const space::Arch& a) {
          // So that the second batch comes when it is time for a look at the front.
          static int calls = 0;
          if (++calls == 21) std::this_thread::sleep_for(std::chrono::milliseconds(550));
          return model.latency_ms(a);
        }}});
  Listener listener;
  const SearchTrace trace = run_random_search({.max_evaluations = 40, .batch_size = 20}, space,
                                              evaluator, test::best_within(1.4), 1, listener);
  REQUIRE(listener.details.size() == 2);
  CHECK(
      std::regex_match(listener.details[0], std::regex("best top1 0\\.[0-9]+, [0-9]+ % feasible")));
  CHECK(std::regex_match(
      listener.details[1],
      std::regex("best top1 0\\.[0-9]+, [0-9]+ % feasible, hypervolume [01]\\.[0-9]{3}")));
  const std::string share =
      fmt::format(", {:.0f} % feasible", 100.0 * static_cast<double>(trace.num_feasible()) / 40.0);
  CHECK(listener.details[1].find(share) != std::string::npos);

  Listener nothing;
  run_random_search({.max_evaluations = 20}, space, evaluator, test::best_within(0.1), 1, nothing);
  CHECK(nothing.details.back() == "nothing within the bounds yet");
}

}  // namespace
}  // namespace omnifit::search
