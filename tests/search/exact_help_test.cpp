#include "core/error.hpp"
#include "search/detail/arch_index.hpp"
#include "search/detail/gene_effects.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/repair.hpp"
#include "search/detail/screen.hpp"
#include "search/evolution.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/search/additive_evaluator.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace omnifit::search {
namespace {

using test::AdditiveEvaluator;

core::NullProgress progress;

core::Rng test_rng(std::uint64_t seed) { return core::Rng::stream(seed, core::Purpose::kTest); }

}  // namespace

TEST_CASE("flat genetics keep archs canonical", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const detail::Genetics genetics(space);
  core::Rng rng = test_rng(1);
  for (int i = 0; i < 500; ++i) {
    const auto a = genetics.choices(space::sample(space, rng));
    const auto b = genetics.choices(space::sample(space, rng));
    for (const double prob : {0.0, 0.1, 1.0}) {
      const auto child = genetics.mutate(a, prob, rng);
      REQUIRE(child != a);
      REQUIRE(genetics.choices(genetics.arch(child)) == child);
    }
    const auto child = genetics.cross(a, b, rng);
    REQUIRE(genetics.choices(genetics.arch(child)) == child);
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
      if (genetics.is_active(child, g)) REQUIRE((child[g] == a[g] || child[g] == b[g]));
    }
  }
}

TEST_CASE("moves change as many genes as asked, and what these switch", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const detail::Genetics genetics(space);
  core::Rng rng = test_rng(2);
  int switched = 0;
  for (int i = 0; i < 500; ++i) {
    const auto a = genetics.choices(space::sample(space, rng));
    const std::uint64_t active = genetics.active_genes(a);
    for (const std::size_t count : {1U, 3U, 6U, 100U}) {
      const auto child = genetics.move(a, count, rng);
      REQUIRE(genetics.choices(genetics.arch(child)) == child);
      const std::uint64_t still_active = active & genetics.active_genes(child);
      const std::uint64_t moved = genetics.differing(a, child) & still_active;
      std::uint64_t is_active = 0;
      std::uint64_t differs = 0;
      for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
        if (genetics.is_active(a, g)) is_active |= std::uint64_t{1} << g;
        if (child[g] != a[g]) differs |= std::uint64_t{1} << g;
      }
      REQUIRE(active == is_active);
      REQUIRE(genetics.differing(a, child) == differs);
      // A gene that moved and was switched off is not among those that are still active.
      const auto num_active = static_cast<std::size_t>(std::popcount(active));
      const auto num_moved = static_cast<std::size_t>(std::popcount(moved));
      const auto num_off = static_cast<std::size_t>(std::popcount(active & ~still_active));
      REQUIRE(num_moved <= std::min(count, num_active));
      REQUIRE(num_moved + num_off >= std::min(count, num_active));
      switched += num_off > 0 ? 1 : 0;
    }
  }
  CHECK(switched > 100);
}

TEST_CASE("evolution draws the same children on any number of threads", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const double limit_ms = evaluator.least_ms() + 0.4 * (evaluator.most_ms() - evaluator.least_ms());
  const auto run = [&](int threads) {
    evaluator.set_threads(threads);
    return run_evolution({.max_evaluations = 3000}, space, evaluator, test::best_within(limit_ms),
                         4, progress);
  };
  const SearchTrace expected = run(1);
  for (const int threads : {2, 7}) {
    const SearchTrace trace = run(threads);
    REQUIRE(trace.archive.size() == expected.archive.size());
    for (std::size_t i = 0; i < trace.archive.size(); ++i) {
      REQUIRE(trace.archive[i].arch == expected.archive[i].arch);
    }
  }
}

TEST_CASE("flips are the neighbours of an arch", "[search][property]") {
  const auto space = test::load_space("tiny");
  const detail::Genetics genetics(space);
  for (const space::Arch& arch : space::enumerate(space)) {
    std::vector<space::Arch> found;
    for (const detail::Flip& flip : genetics.flips(genetics.choices(arch))) {
      found.push_back(genetics.arch(flip.choices));
    }
    auto expected = space::neighbours(space, arch);
    std::ranges::sort(found);
    std::ranges::sort(expected);
    REQUIRE(found == expected);
  }
}

TEST_CASE("effects of a sum over genes are found again", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const detail::Genetics genetics(space);
  core::Rng rng = test_rng(2);
  detail::GeneEffects truth;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    for (std::size_t c = 0; c < genetics.num_choices(g); ++c) {
      if (c == 0) truth.emplace_back();
      truth.back().push_back(rng.uniform(0.0, 1.0));
    }
  }
  const space::AdditiveCost sum = detail::sum_of_effects(genetics, truth);
  const auto draw = [&] { return genetics.choices(space::sample(space, rng)); };
  const auto value = [&](const detail::Choices& choices) { return sum(genetics.arch(choices)); };
  std::vector<detail::ScoredChoices> scored;
  for (int i = 0; i < 3000; ++i) {
    const auto choices = draw();
    scored.push_back({choices, value(choices)});
  }
  const space::AdditiveCost fitted =
      detail::sum_of_effects(genetics, detail::fit_gene_effects(genetics, scored));
  // The mean is nobody's effect, so differences are compared.
  for (int i = 0; i < 100; ++i) {
    const auto a = draw();
    const auto b = draw();
    const double expected = value(a) - value(b);
    CHECK(fitted(genetics.arch(a)) - fitted(genetics.arch(b)) == Approx(expected).margin(0.05));
  }
}

TEST_CASE("an index finds archs again", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const detail::Genetics genetics(space);
  core::Rng rng = test_rng(6);
  detail::ArchIndex index;
  std::map<detail::Choices, std::size_t> expected;
  std::vector<detail::Choices> known;
  for (int i = 0; i < 5000; ++i) {
    const bool again = !known.empty() && rng.bernoulli(0.3);
    const auto choices = again ? known[static_cast<std::size_t>(rng.below(known.size()))]
                               : genetics.choices(space::sample(space, rng));
    const auto [entry, is_new] = expected.emplace(choices, expected.size());
    REQUIRE(index.find(choices).has_value() == !is_new);
    REQUIRE(index.insert(choices) == std::pair(entry->second, is_new));
    REQUIRE(index.find(choices) == entry->second);
    REQUIRE(index[entry->second] == choices);
    known.push_back(choices);
  }
  CHECK(index.size() == expected.size());
}

TEST_CASE("the screen knows whether it sees every bound, and the gene that leads",
          "[search][unit]") {
  // The resolution meets every block.
  const auto space = test::load_space("ofa_mbv3");
  const space::TaskIo io{3, 10};
  const auto macs = space::AdditiveCost::compile(space, io, [](const space::LayerSpec& unit) {
    return std::optional<double>(static_cast<double>(space::macs(unit)));
  });
  class Macs final : public Evaluator {
   public:
    explicit Macs(const space::AdditiveCost& cost) : cost_(cost) {}
    [[nodiscard]] const std::vector<Metric>& metrics() const override { return metrics_; }
    [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override {
      return {archs.size(), 2};
    }
    [[nodiscard]] std::vector<AdditiveMetric> additive_metrics() const override {
      return {{.column = 1, .cost = &cost_}};
    }

   private:
    const space::AdditiveCost& cost_;
    std::vector<Metric> metrics_{{.name = "top1", .maximise = true},
                                 {.name = "macs", .maximise = false}};
  };
  const Macs evaluator(macs);
  Problem problem{.objectives = {{.metric = "top1", .maximise = {}}},
                  .bounds = {{.metric = "macs", .min = {}, .max = 2e8}}};
  const detail::Screen screen(space, problem, evaluator);
  CHECK(screen.complete());
  CHECK(screen.leading_gene() ==
        static_cast<std::size_t>(*space.find_gene(space::Axis::kResolution)));
  problem.bounds.push_back({.metric = "top1", .min = 0.1, .max = {}});
  CHECK_FALSE(detail::Screen(space, problem, evaluator).complete());
  // Without an upper limit, and where every gene stands alone, nothing leads.
  problem.bounds = {{.metric = "macs", .min = 1e6, .max = {}}};
  CHECK_FALSE(detail::Screen(space, problem, evaluator).leading_gene().has_value());
  const auto tiny = test::load_space("tiny");
  const AdditiveEvaluator sums(tiny);
  CHECK_FALSE(detail::Screen(tiny, test::best_within(2.0), sums).leading_gene().has_value());
}

TEST_CASE("repair ends within the bounds where single changes lead there", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const detail::Genetics genetics(space);
  const double low = evaluator.least_ms();
  const double high = evaluator.most_ms();
  const auto share = GENERATE(0.0, 0.1, 0.5);
  const Problem problem = test::best_within(low + share * (high - low) + 1e-9);
  const detail::Screen screen(space, problem, evaluator);
  detail::GeneEffects effects;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    effects.emplace_back(genetics.num_choices(g), 0.0);
  }
  core::Rng rng = test_rng(3);
  for (int i = 0; i < 50; ++i) {
    const auto choices = genetics.choices(space::sample(space, rng));
    const auto repaired = detail::repair(genetics, screen, choices, effects);
    REQUIRE(repaired.has_value());
    CHECK(screen.admits(*repaired));
    CHECK(screen.violation(*repaired) == 0.0);
    if (screen.admits(choices)) CHECK(*repaired == choices);
  }
  const detail::Screen impossible(space, test::best_within(0.9 * low), evaluator);
  CHECK_FALSE(detail::repair(genetics, impossible, genetics.choices(space::largest(space)), effects)
                  .has_value());
}

TEST_CASE("repair gives up what is worth least per millisecond", "[search][unit]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space);
  const detail::Genetics genetics(space);
  const auto largest = genetics.choices(space::largest(space));
  const double high = evaluator.most_ms();
  const detail::Screen screen(space, test::best_within(high - 1e-6), evaluator);
  detail::GeneEffects effects;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    for (std::size_t c = 0; c < genetics.num_choices(g); ++c) {
      if (c == 0) effects.emplace_back();
      // The last gene loses nothing, all others a lot.
      effects.back().push_back(g + 1 == genetics.num_genes() ? 0.0
                                                             : 100.0 * static_cast<double>(c));
    }
  }
  const auto repaired = detail::repair(genetics, screen, largest, effects);
  REQUIRE(repaired.has_value());
  for (std::size_t g = 0; g + 1 < genetics.num_genes(); ++g) CHECK((*repaired)[g] == largest[g]);
}

TEST_CASE("with additive bounds nothing beyond them joins a population", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const double low = evaluator.least_ms();
  const Problem problem = test::best_within(low + 0.2 * (evaluator.most_ms() - low));
  const SearchTrace trace =
      run_evolution({.population_size = 20, .climbers = 0, .max_evaluations = 1000}, space,
                    evaluator, problem, 1, progress);
  CHECK(trace.num_feasible() == static_cast<std::int64_t>(trace.archive.size()));
  CHECK(trace.archive.size() == 1000);
}

TEST_CASE("dynamic programming makes an additive problem's optimum the first thing found",
          "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const auto seed = GENERATE(range<std::uint64_t>(1, 4));
  AdditiveEvaluator evaluator(space, seed);
  const double low = evaluator.least_ms();
  const double max_ms = low + 0.3 * (evaluator.most_ms() - low);
  const double optimum = evaluator.best_top1(max_ms);
  const SearchTrace trace = run_evolution({.population_size = 64, .max_evaluations = 3000}, space,
                                          evaluator, test::best_within(max_ms), seed, progress);
  REQUIRE(trace.best.has_value());
  CHECK(trace.archive[*trace.best].values[0] <= optimum + 1e-12);
  CHECK(trace.archive[*trace.best].values[0] >= optimum - 1e-4);
}

TEST_CASE("a search ends when nothing is left within additive bounds", "[search][unit]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space);
  const double low = evaluator.least_ms();
  const double max_ms = low + 0.15 * (evaluator.most_ms() - low);
  const SearchTrace trace = run_evolution({.population_size = 8}, space, evaluator,
                                          test::best_within(max_ms), 1, progress);
  CHECK(trace.stop_reason == StopReason::kBoundsExhausted);
  CHECK(stop_reason_text(trace.stop_reason) == "no further subnet within the bounds");
  CHECK(trace.archive[*trace.best].values[0] == evaluator.best_top1(max_ms));
}

TEST_CASE("a cost that is not known is within no bound", "[search][unit]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space, 1, /*unknown_kernels=*/true);
  const SearchTrace trace =
      run_evolution({.population_size = 8, .climbers = 0, .max_evaluations = 60}, space, evaluator,
                    test::best_within(1e6), 1, progress);
  for (const Evaluated& member : trace.archive) CHECK(std::isfinite(member.values[1]));
  CHECK(trace.best.has_value());
}

}  // namespace omnifit::search
