#include "search/detail/guided_stage.hpp"

#include "search/detail/annealer.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/climber.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/newcomers.hpp"
#include "search/detail/pair_effects.hpp"
#include "search/detail/pair_model.hpp"
#include "search/detail/screen.hpp"
#include "search/evolution.hpp"
#include "space/sampling.hpp"
#include "tests/search/additive_evaluator.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search {
namespace {

using test::AdditiveEvaluator;

core::NullProgress progress;

core::Rng test_rng(std::uint64_t seed) { return core::Rng::stream(seed, core::Purpose::kTest); }

/// A sum over choices and over pairs of choices of neighbouring genes.
class PairSum {
 public:
  explicit PairSum(const detail::PairEffects& effects) : effects_(effects) {}
  float operator()(const detail::Choices& choices) const {
    const detail::Features features = effects_.features(choices);
    double sum = 0.0;
    for (std::size_t i = 0; i < features.size(); ++i) {
      sum += worth(features[i], features[i]);
      for (std::size_t j = i + 1; j < std::min(features.size(), i + 4); ++j) {
        sum += worth(features[i], features[j]);
      }
    }
    return static_cast<float>(sum / 10.0);
  }

 private:
  static double worth(std::uint64_t a, std::uint64_t b) {
    return core::Rng::stream(9, core::Purpose::kTest, {a, b}).uniform(-1.0, 1.0);
  }
  const detail::PairEffects& effects_;
};

/// Effects fitted to random archs of a space.
detail::PairEffects fitted(const space::SearchSpace& space, const detail::Genetics& genetics,
                           int count) {
  detail::PairEffects effects(genetics);
  const PairSum truth(effects);
  core::Rng rng = test_rng(1);
  std::vector<detail::PairEffects::Sample> samples;
  for (int i = 0; i < count; ++i) {
    const auto choices = genetics.choices(space::sample(space, rng));
    samples.push_back({effects.features(choices), truth(choices)});
  }
  effects.fit(samples, 40, rng);
  return effects;
}

double limit_ms(const AdditiveEvaluator& evaluator, double share) {
  return evaluator.least_ms() + share * (evaluator.most_ms() - evaluator.least_ms());
}

SearchTrace guided(const space::SearchSpace& space, Evaluator& evaluator, double max_ms,
                   EvolutionConfig config, std::span<const space::Arch> seeds = {}) {
  return run_evolution(config, space, evaluator, test::best_within(max_ms), 3, progress, seeds);
}

}  // namespace

TEST_CASE("pair effects foretell archs that they never saw", "[search][property]") {
  const auto space = test::load_space("tiny");
  const detail::Genetics genetics(space);
  const auto effects = fitted(space, genetics, 400);
  const PairSum truth(effects);
  double error = 0.0;
  double spread = 0.0;
  core::Rng rng = test_rng(2);
  for (int i = 0; i < 200; ++i) {
    const auto a = genetics.choices(space::sample(space, rng));
    const auto b = genetics.choices(space::sample(space, rng));
    const double expected = truth(a) - truth(b);
    error += std::abs(effects(effects.features(a)) - effects(effects.features(b)) - expected);
    spread += std::abs(expected);
  }
  CHECK(spread > 1.0);
  CHECK(error < 0.1 * spread);
}

TEST_CASE("pair effects of nothing are nothing", "[search][unit]") {
  const auto space = test::load_space("tiny");
  const detail::Genetics genetics(space);
  detail::PairEffects effects(genetics);
  core::Rng rng = test_rng(1);
  effects.fit({}, 3, rng);
  CHECK(effects(effects.features(genetics.choices(space::largest(space)))) == 0.0F);
}

TEST_CASE("a field's gain is the difference of two full sums", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const detail::Genetics genetics(space);
  const auto effects = fitted(space, genetics, 300);
  core::Rng rng = test_rng(3);
  auto at = genetics.choices(space::sample(space, rng));
  detail::PairField field(effects, effects.features(at));
  for (int i = 0; i < 300; ++i) {
    const auto next = genetics.mutate(at, rng.bernoulli(0.5) ? 0.1 : 0.5, rng);
    std::vector<detail::Feature> lost;
    std::vector<detail::Feature> won;
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
      const bool was = genetics.is_active(at, g);
      const bool is = genetics.is_active(next, g);
      if (was && is && at[g] == next[g]) continue;
      if (was) lost.push_back(effects.feature(g, at[g]));
      if (is) won.push_back(effects.feature(g, next[g]));
    }
    const detail::Exchange exchange = effects.exchange(at, next);
    REQUIRE(std::ranges::equal(exchange.lost, lost));
    REQUIRE(std::ranges::equal(exchange.won, won));
    const float here = effects(effects.features(at));
    const float there = effects(effects.features(next));
    REQUIRE(field.gain(exchange.lost, exchange.won) == Approx(there - here).margin(1e-4));
    if (rng.bernoulli(0.5)) {
      field.move(exchange.lost, exchange.won);
      at = next;
    } else if (rng.bernoulli(0.5)) {
      at = genetics.choices(space::sample(space, rng));
      field.reset(effects.features(at));
      REQUIRE(field.height() == Approx(effects(effects.features(at))).margin(1e-4));
    }
  }
}

TEST_CASE("a pair model ranks archs by a few hundred of them", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const Problem problem = test::best_within(evaluator.most_ms());
  const detail::Genetics genetics(space);
  detail::Archive archive(space, evaluator, problem, 2000, progress);
  detail::Ledger ledger(archive, genetics, 100);
  core::Rng rng = test_rng(5);
  for (int i = 0; i < 600; ++i) ledger.propose(genetics.choices(space::sample(space, rng)));
  const std::vector<std::size_t> rows = ledger.evaluate();
  const std::span known(rows.begin(), 300);
  detail::PairModel model(genetics, ledger, 1);
  REQUIRE(model.measure(known));
  const double unit = model.unit();
  CHECK(unit > 0.0);
  model.fit(known, 20);
  for (const std::size_t row : known) REQUIRE(model(ledger.choices(row)) == 0.0F);
  model.publish();
  int right = 0;
  REQUIRE(rows.size() > 590);  // some were drawn twice
  for (std::size_t i = 300; i + 1 < 590; i += 2) {
    const bool promises_more = model(ledger.choices(rows[i])) > model(ledger.choices(rows[i + 1]));
    const bool is_more = ledger.value(rows[i]) > ledger.value(rows[i + 1]);
    right += promises_more == is_more ? 1 : 0;
  }
  CHECK(right > 120);  // of 145
  // The unit stays, so that what was learnt keeps its meaning.
  CHECK(model.measure(std::span(rows.begin(), 4)));
  CHECK(model.unit() == unit);
}

TEST_CASE("a pair model has no unit where values are the same or none", "[search][unit]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space);
  const Problem problem = test::best_within(evaluator.most_ms());
  const detail::Genetics genetics(space);
  detail::Archive archive(space, evaluator, problem, 10, progress);
  detail::Ledger ledger(archive, genetics, 100);
  ledger.propose(genetics.choices(space::largest(space)));
  detail::PairModel model(genetics, ledger, 1);
  CHECK_FALSE(model.measure({}));
  CHECK_FALSE(model.measure(ledger.evaluate()));
  CHECK(model.unit() == 0.0);
}

TEST_CASE("climbs end where no single change is better, together, on any number of threads",
          "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const Problem problem = test::best_within(limit_ms(evaluator, 0.4));
  const detail::Genetics genetics(space);
  const auto climb = [&](int threads) {
    evaluator.set_threads(threads);
    const detail::Screen screen(space, problem, evaluator);
    detail::Archive archive(space, evaluator, problem, 100'000, progress);
    detail::Ledger ledger(archive, genetics, 1000);
    detail::Newcomers newcomers(genetics, screen, ledger, 1);
    std::vector<std::size_t> starts = newcomers.population(5, 0, {});
    starts.push_back(starts.front());
    detail::Climber climber(genetics, screen, ledger);
    const std::vector<std::size_t> ends = climber.climb(starts, ledger.effects());
    REQUIRE_FALSE(ends.empty());
    REQUIRE(ends.size() < starts.size());  // two began at the same arch
    for (const std::size_t end : ends) {
      for (const detail::Flip& flip : genetics.flips(ledger.choices(end))) {
        const auto row = ledger.find(flip.choices);
        REQUIRE(row.has_value());
        REQUIRE(ledger.fitness(*row) <= ledger.fitness(end));
      }
    }
    return ends;
  };
  const std::vector<std::size_t> expected = climb(1);
  CHECK(climb(2) == expected);
  CHECK(climb(7) == expected);
}

TEST_CASE("a walk ends at a canonical arch within the bounds that nobody knows",
          "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const Problem problem = test::best_within(limit_ms(evaluator, 0.4));
  const detail::Genetics genetics(space);
  const detail::Screen screen(space, problem, evaluator);
  detail::Archive archive(space, evaluator, problem, 1000, progress);
  const auto effects = fitted(space, genetics, 300);
  const detail::Annealer annealer(genetics, screen, archive, effects);
  const auto start = genetics.choices(space::smallest(space));
  double before = 0.0;
  double after = 0.0;
  for (std::uint64_t i = 0; i < 40; ++i) {
    core::Rng rng = test_rng(i);
    core::Rng same = test_rng(i);
    const auto end = annealer.walk(start, rng);
    REQUIRE(end.has_value());
    CHECK(annealer.walk(start, same) == end);
    CHECK(screen.admits(*end));
    CHECK(genetics.choices(genetics.arch(*end)) == *end);
    CHECK_FALSE(archive.find(*end).has_value());
    before += effects(effects.features(start));
    after += effects(effects.features(*end));
    archive.propose(*end);
  }
  CHECK(after > before);
}

TEST_CASE("a walk among known archs finds none", "[search][unit]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space);
  const Problem problem = test::best_within(evaluator.most_ms());
  const detail::Genetics genetics(space);
  const detail::Screen screen(space, problem, evaluator);
  detail::Archive archive(space, evaluator, problem, 100'000, progress);
  for (const space::Arch& arch : space::enumerate(space)) archive.propose(arch);
  const detail::PairEffects effects(genetics);
  const detail::Annealer annealer(genetics, screen, archive, effects);
  core::Rng rng = test_rng(1);
  CHECK_FALSE(annealer.walk(genetics.choices(space::smallest(space)), rng).has_value());
}

TEST_CASE(
    "a guided stage keeps budget and bounds, evaluates the seeds, and is the same on two "
    "threads",
    "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const double max_ms = limit_ms(evaluator, 0.4);
  const std::vector<space::Arch> seeds = {space::smallest(space), space::largest(space)};
  const EvolutionConfig config{.guided_evaluations = 600, .max_evaluations = 1200};
  const SearchTrace expected = guided(space, evaluator, max_ms, config, seeds);
  CHECK(expected.archive.size() == 1200);
  CHECK(expected.archive[0].arch == seeds[0]);
  CHECK(expected.archive[1].arch == seeds[1]);
  CHECK(expected.num_feasible() == 1199);  // the largest is a seed only
  for (std::size_t i = 1; i < expected.generations.size(); ++i) {
    CHECK(expected.generations[i].num_evaluations > expected.generations[i - 1].num_evaluations);
  }
  evaluator.set_threads(2);
  const SearchTrace trace = guided(space, evaluator, max_ms, config, seeds);
  REQUIRE(trace.archive.size() == expected.archive.size());
  for (std::size_t i = 0; i < trace.archive.size(); ++i) {
    REQUIRE(trace.archive[i].arch == expected.archive[i].arch);
  }
}

TEST_CASE("without guided evaluations, and with too few, there is no guided stage",
          "[search][unit]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const double max_ms = limit_ms(evaluator, 0.4);
  const auto first_batch = [&](std::int64_t guided_evaluations, std::int64_t max_evaluations) {
    return guided(space, evaluator, max_ms,
                  {.guided_evaluations = guided_evaluations, .max_evaluations = max_evaluations})
        .generations.front()
        .num_evaluations;
  };
  // The sample of a guided stage is a sixth of it, the first population of evolution 128.
  CHECK(first_batch(1200, 3000) == 200);
  CHECK(first_batch(0, 3000) == 128);
  CHECK(first_batch(100, 3000) == 128);
  CHECK(first_batch(1200, 300) == 128);
  CHECK(first_batch(1200, 10) == 10);
  CHECK(first_batch(1200, 4800) == 200);
  CHECK(first_batch(1200, 4804) == 128);
  // Few generations are few evaluations.
  const SearchTrace short_one =
      guided(space, evaluator, max_ms, {.population_size = 20, .generations = 3});
  CHECK(short_one.generations.size() == 4);
  CHECK(short_one.archive.size() < 100);
}

TEST_CASE("a guided stage ends where a space or its values have nothing more to tell",
          "[search][unit]") {
  const auto tiny = test::load_space("tiny");
  AdditiveEvaluator sums(tiny);
  const SearchTrace all = guided(tiny, sums, sums.most_ms() + 1.0,
                                 {.guided_evaluations = 5000, .max_evaluations = 10'000});
  CHECK(all.stop_reason == StopReason::kSpaceExhausted);

  /// Additive latency, and a top-1 that is always the same or unknown.
  class Flat final : public Evaluator {
   public:
    Flat(const AdditiveEvaluator& sums, double top1) : sums_(sums), top1_(top1) {}
    [[nodiscard]] const std::vector<Metric>& metrics() const override { return sums_.metrics(); }
    [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override {
      MetricTable table(archs.size(), 2);
      for (std::size_t i = 0; i < archs.size(); ++i) {
        table.row(i)[0] = top1_;
        table.row(i)[1] = (*additive_metrics().front().cost)(archs[i]);
      }
      return table;
    }
    [[nodiscard]] std::vector<AdditiveMetric> additive_metrics() const override {
      return sums_.additive_metrics();
    }

   private:
    const AdditiveEvaluator& sums_;
    double top1_;
  };
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator costs(space);
  for (const double top1 : {0.5, std::numeric_limits<double>::quiet_NaN()}) {
    Flat flat(costs, top1);
    const SearchTrace trace =
        guided(space, flat, limit_ms(costs, 0.5),
               {.population_size = 16, .guided_evaluations = 400, .max_evaluations = 800});
    CHECK(trace.archive.size() > 60);
    CHECK(trace.best.has_value() == std::isfinite(top1));
  }
}

}  // namespace omnifit::search
