#include "search/active.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "search/detail/expected_gain.hpp"
#include "search/detail/size_strata.hpp"
#include "search/hypervolume.hpp"
#include "search/random_search.hpp"
#include "space/sampling.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_surrogate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::Additive;
using test::FakeEvaluator;
using test::FakeSurrogate;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Problem bi_objective(std::vector<Bound> bounds = {}) {
  return {
      .objectives = {{.metric = "top1", .maximise = {}}, {.metric = "latency_ms", .maximise = {}}},
      .bounds = std::move(bounds)};
}

/// The two metrics of a model, apart: accuracy is measured, latency exact.
struct Split {
  explicit Split(const Additive& model)
      : measured({{{.name = "top1", .maximise = true},
                   [model](const space::Arch& a) { return model.top1(a); }}}),
        exact({{{.name = "latency_ms", .maximise = false},
                [model](const space::Arch& a) { return model.latency_ms(a); }}}) {}

  SearchTrace run(const space::SearchSpace& space, const Problem& problem,
                  const ActiveConfig& config, std::uint64_t seed = 1,
                  const ActiveStart& start = {}) {
    core::NullProgress progress;
    const ActiveSeams seams{
        .measured = measured, .exact = &exact, .surrogate = FakeSurrogate::factory()};
    return run_active_search(config, space, seams, problem, seed, progress, start);
  }

  FakeEvaluator measured;
  FakeEvaluator exact;
};

ActiveConfig small_config(std::int64_t max_evaluations = 50) {
  return {.initial_samples = 12,
          .batch_size = 5,
          .exploration = 1.0,
          .candidates = 400,
          .max_evaluations = max_evaluations};
}

/// Of the first two objectives, in a box that holds every value of the synthetic model.
double front_volume(const SearchTrace& trace, std::size_t count) {
  MetricTable points(std::min(count, trace.archive.size()), 2);
  for (std::size_t i = 0; i < points.rows(); ++i)
    std::ranges::copy(trace.archive[i].score.objectives, points.row(i).begin());
  return hypervolume(points, std::array{0.0, 100.0});
}

void check_equal(const SearchTrace& a, const SearchTrace& b) {
  REQUIRE(a.archive.size() == b.archive.size());
  for (std::size_t i = 0; i < a.archive.size(); ++i) {
    CHECK(a.archive[i].arch == b.archive[i].arch);
    CHECK(a.archive[i].values == b.archive[i].values);
  }
  CHECK(a.front == b.front);
  CHECK(a.generations.size() == b.generations.size());
}

TEST_CASE("active search measures no arch twice, keeps its budget and starts at both ends",
          "[search][contract]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  Split split{Additive(space)};
  const SearchTrace trace = split.run(space, bi_objective(), small_config());
  CHECK(trace.archive.size() == 50);
  CHECK(split.measured.num_asked() == 50);
  CHECK(split.measured.most_repeated() == 1);
  CHECK(split.measured.largest_batch() == 12);
  CHECK(trace.archive[0].arch == space::smallest(space));
  CHECK(trace.archive[1].arch == space::largest(space));
  CHECK(trace.generations.size() == 9);  // 12, then 7 of 5, then 3
  CHECK(trace.stop_reason == StopReason::kEvaluationBudgetUsed);
  REQUIRE(trace.metrics.size() == 2);
  CHECK(trace.metrics[0].name == "top1");
  CHECK(trace.metrics[1].name == "latency_ms");
}

TEST_CASE("active search finds more of the front than random search from as many measurements",
          "[search][property]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  const Additive model(space);
  core::NullProgress progress;
  for (const std::uint64_t seed : {1, 2, 3}) {
    Split split{model};
    const SearchTrace active = split.run(space, bi_objective(), small_config(80), seed);
    FakeEvaluator both = model.evaluator();
    const SearchTrace random = run_random_search({.max_evaluations = 80, .batch_size = 80}, space,
                                                 both, bi_objective(), seed, progress);
    CHECK(front_volume(active, 80) > front_volume(random, 80));
  }
}

TEST_CASE("in a small space active search reaches the true front long before all is measured",
          "[search][property]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  Split split{model};
  const SearchTrace trace = split.run(space, bi_objective(), small_config(70));
  MetricTable all(160, 2);
  std::size_t i = 0;
  for (const space::Arch& arch : space::enumerate(space)) {
    all.row(i)[0] = -model.top1(arch);
    all.row(i++)[1] = model.latency_ms(arch);
  }
  const double truth = hypervolume(all, std::array{0.0, 100.0});
  CHECK(front_volume(trace, 70) > 0.999 * truth);
}

TEST_CASE("active search keeps bounds on exact and on measured metrics", "[search][property]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  const Additive model(space);
  SECTION("one objective under an exact bound") {
    Split split{model};
    const SearchTrace trace = split.run(space, test::best_within(3.0), small_config(80));
    REQUIRE(trace.best);
    const auto exact_share = [&](std::size_t from) {
      std::size_t kept = 0;
      for (std::size_t i = from; i < 80; ++i) kept += trace.archive[i].score.feasible ? 1 : 0;
      return static_cast<double>(kept) / static_cast<double>(80 - from);
    };
    // After the start, which covers all sizes, nothing is measured that is known to be too slow.
    CHECK(exact_share(12) == 1.0);
    double best_of_start = 0.0;
    for (std::size_t i = 0; i < 12; ++i) {
      if (trace.archive[i].score.feasible)
        best_of_start = std::max(best_of_start, trace.archive[i].values[0]);
    }
    CHECK(trace.archive[*trace.best].values[0] > best_of_start);
  }
  SECTION("the bound itself is measured") {
    FakeEvaluator both = model.evaluator();
    core::NullProgress progress;
    const ActiveSeams seams{.measured = both, .surrogate = FakeSurrogate::factory()};
    const SearchTrace trace =
        run_active_search(small_config(80), space, seams, test::best_within(3.0), 1, progress);
    REQUIRE(trace.best);
    CHECK(trace.archive[*trace.best].values[1] <= 3.0);
    CHECK(trace.num_feasible() > 30);
  }
  SECTION("a bound that nobody meets is an outcome, not an error") {
    Split split{model};
    const SearchTrace trace = split.run(space, test::best_within(0.5), small_config(30));
    CHECK_FALSE(trace.best);
    CHECK(trace.archive.size() == 30);
    CHECK(trace.stop_reason == StopReason::kNoFeasibleFound);
  }
}

TEST_CASE("active search is decided by its seed", "[search][contract]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  const Additive model(space);
  Split first{model};
  Split again{model};
  Split other{model};
  const SearchTrace trace = first.run(space, bi_objective(), small_config(), 7);
  check_equal(trace, again.run(space, bi_objective(), small_config(), 7));
  const SearchTrace another = other.run(space, bi_objective(), small_config(), 8);
  CHECK_FALSE(
      std::ranges::equal(trace.archive, another.archive, {}, &Evaluated::arch, &Evaluated::arch));
}

TEST_CASE("a stopped active search goes on to the same result, from any measurement",
          "[search][contract]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  const Additive model(space);
  Split whole{model};
  const SearchTrace expected = whole.run(space, bi_objective(), small_config());
  // At the end of a batch, within the start, within a batch, and when all is done.
  for (const std::size_t known :
       {std::size_t{12}, std::size_t{5}, std::size_t{19}, std::size_t{32}, std::size_t{50}}) {
    CAPTURE(known);
    Split rest{model};
    std::vector<space::Arch> stored;
    const ActiveStart start{.seeds = {},
                            .archive = std::span(expected.archive).first(known),
                            .on_batch = [&](std::span<const Evaluated> batch) {
                              for (const Evaluated& member : batch) stored.push_back(member.arch);
                            }};
    check_equal(rest.run(space, bi_objective(), small_config(), 1, start), expected);
    CHECK(rest.measured.num_asked() == 50 - known);
    REQUIRE(stored.size() == 50 - known);
    for (std::size_t i = 0; i < stored.size(); ++i)
      CHECK(stored[i] == expected.archive[known + i].arch);
  }
}

TEST_CASE("active search asks for interruption once a batch is handed over", "[search][contract]") {
  const space::SearchSpace space = test::load_space("tiny");
  Split split{Additive(space)};
  std::vector<Evaluated> stored;
  const ActiveStart start{
      .seeds = {}, .archive = {}, .on_batch = [&](std::span<const Evaluated> batch) {
        stored.insert(stored.end(), batch.begin(), batch.end());
        core::request_stop(true);
      }};
  CHECK_THROWS_AS(split.run(space, bi_objective(), small_config(), 1, start), Interrupted);
  core::request_stop(false);
  CHECK(stored.size() == 12);
  Split rest{Additive(space)};
  Split whole{Additive(space)};
  check_equal(rest.run(space, bi_objective(), small_config(), 1,
                       {.seeds = {}, .archive = stored, .on_batch = {}}),
              whole.run(space, bi_objective(), small_config()));
}

TEST_CASE("seeds are measured first", "[search][unit]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  const std::vector<space::Arch> seeds{space::sample(space, rng), space::sample(space, rng)};
  Split split{Additive(space)};
  const SearchTrace trace = split.run(space, bi_objective(), small_config(), 1,
                                      {.seeds = seeds, .archive = {}, .on_batch = {}});
  CHECK(trace.archive[0].arch == seeds[0]);
  CHECK(trace.archive[1].arch == seeds[1]);
  CHECK(trace.archive[2].arch == space::smallest(space));
}

TEST_CASE("archs that could not be measured cost an evaluation and teach nothing",
          "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  Split split{model};
  FakeEvaluator failing({{{.name = "top1", .maximise = true}, [&](const space::Arch& a) {
                            return a.choice(0) == 0 ? kNan : model.top1(a);
                          }}});
  core::NullProgress progress;
  const ActiveSeams seams{
      .measured = failing, .exact = &split.exact, .surrogate = FakeSurrogate::factory()};
  const SearchTrace trace =
      run_active_search(small_config(60), space, seams, bi_objective(), 1, progress);
  CHECK(trace.archive.size() == 60);
  for (const std::size_t member : trace.front) CHECK(trace.archive[member].arch.choice(0) != 0);

  FakeEvaluator hopeless(
      {{{.name = "top1", .maximise = true}, [](const space::Arch&) { return kNan; }}});
  const ActiveSeams lost{
      .measured = hopeless, .exact = &split.exact, .surrogate = FakeSurrogate::factory()};
  const SearchTrace nothing =
      run_active_search(small_config(30), space, lost, bi_objective(), 1, progress);
  CHECK(nothing.archive.size() == 30);
  CHECK(nothing.stop_reason == StopReason::kNoFeasibleFound);
}

TEST_CASE("active search ends when the space does, also where all values are equal",
          "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  FakeEvaluator flat(
      {{{.name = "top1", .maximise = true}, [](const space::Arch&) { return 0.5; }},
       {{.name = "latency_ms", .maximise = false}, [](const space::Arch&) { return 1.0; }}});
  core::NullProgress progress;
  const ActiveSeams seams{.measured = flat, .surrogate = FakeSurrogate::factory()};
  const SearchTrace trace =
      run_active_search(small_config(1'000), space, seams, bi_objective(), 1, progress);
  CHECK(trace.archive.size() == 160);
  CHECK(trace.stop_reason == StopReason::kSpaceExhausted);
  CHECK(trace.front.size() == 1);

  const space::SearchSpace point = test::one_point_space();
  const SearchTrace single =
      run_active_search(small_config(), point, seams, bi_objective(), 1, progress);
  CHECK(single.archive.size() == 1);
}

TEST_CASE("three objectives are searched at once", "[search][unit]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  const Additive model(space);
  const Additive other(space, 2);
  FakeEvaluator measured(
      {{{.name = "top1", .maximise = true}, [&](const space::Arch& a) { return model.top1(a); }}});
  FakeEvaluator exact({{{.name = "latency_ms", .maximise = false},
                        [&](const space::Arch& a) { return model.latency_ms(a); }},
                       {{.name = "macs", .maximise = false},
                        [&](const space::Arch& a) { return other.latency_ms(a); }}});
  core::NullProgress progress;
  Problem problem = bi_objective();
  problem.objectives.push_back({.metric = "macs", .maximise = {}});
  const ActiveSeams seams{
      .measured = measured, .exact = &exact, .surrogate = FakeSurrogate::factory()};
  const SearchTrace trace = run_active_search(small_config(60), space, seams, problem, 1, progress);
  CHECK(trace.archive.size() == 60);
  CHECK(trace.front.size() > 10);
}

TEST_CASE("what makes no sense is refused", "[search][error]") {
  const space::SearchSpace space = test::load_space("tiny");
  Split split{Additive(space)};
  const auto with = [&](auto change) {
    ActiveConfig config = small_config();
    change(config);
    return [&split, &space, config] { (void)split.run(space, bi_objective(), config); };
  };
  CHECK_THROWS_WITH(with([](auto& c) { c.initial_samples = 3; })(),
                    "initial_samples must be in [4, 1000000], got 3");
  CHECK_THROWS_WITH(with([](auto& c) { c.batch_size = 0; })(),
                    "batch_size must be in [1, 1000000], got 0");
  CHECK_THROWS_WITH(with([](auto& c) { c.exploration = -1.0; })(),
                    "exploration must be in [0, 100], got -1");
  CHECK_THROWS_WITH(with([](auto& c) { c.candidates = 99; })(),
                    "candidates must be in [100, 10000000], got 99");
  CHECK_THROWS_WITH(with([](auto& c) { c.max_evaluations = 0; })(),
                    "max_evaluations must be in [1, 100000000], got 0");

  core::NullProgress progress;
  FakeEvaluator both = Additive(space).evaluator();
  const ActiveSeams twice{
      .measured = both, .exact = &split.exact, .surrogate = FakeSurrogate::factory()};
  CHECK_THROWS_WITH(run_active_search(small_config(), space, twice, bi_objective(), 1, progress),
                    "search: metric 'latency_ms' is both measured and exact");
  const space::SearchSpace foreign = test::load_space("mbv3_32px");
  const std::vector<space::Arch> seeds{space::smallest(foreign)};
  CHECK_THROWS_WITH(split.run(space, bi_objective(), small_config(), 1,
                              {.seeds = seeds, .archive = {}, .on_batch = {}}),
                    "a seed or the archive is of another space than tiny");
  const std::vector<Evaluated> short_rows{{space::smallest(space), {0.5}, {}}};
  CHECK_THROWS_WITH(split.run(space, bi_objective(), small_config(), 1,
                              {.seeds = {}, .archive = short_rows, .on_batch = {}}),
                    "the archive has rows of 1 metrics, the evaluators give 2");
}

/// Mean gain over many draws, against which the closed form is checked.
double drawn_gain(const MetricTable& front, std::array<double, 2> reference,
                  std::array<double, 2> mean, std::array<double, 2> deviation) {
  core::Rng rng = core::Rng::stream(3, core::Purpose::kTest);
  const double before = hypervolume(front, reference);
  double sum = 0.0;
  constexpr int kDraws = 20'000;
  for (int draw = 0; draw < kDraws; ++draw) {
    MetricTable with(front.rows() + 1, 2);
    for (std::size_t i = 0; i < front.rows(); ++i)
      std::ranges::copy(front.row(i), with.row(i).begin());
    for (std::size_t c = 0; c < 2; ++c)
      with.row(front.rows())[c] = mean[c] + deviation[c] * rng.normal();
    sum += hypervolume(with, reference) - before;
  }
  return sum / kDraws;
}

MetricTable stairs() {
  MetricTable front(3, 2);
  const std::array<std::array<double, 2>, 3> rows{{{0.1, 0.8}, {0.4, 0.5}, {0.7, 0.2}}};
  for (std::size_t i = 0; i < 3; ++i) std::ranges::copy(rows[i], front.row(i).begin());
  return front;
}

TEST_CASE("the expected gain agrees with drawing", "[search][property]") {
  const std::array reference{1.0, 1.0};
  const detail::ExpectedGain gain(stairs(), reference);
  const std::vector<std::array<double, 2>> means{{0.2, 0.6}, {0.5, 0.6}, {0.05, 0.9}, {0.9, 0.1}};
  for (const auto& mean : means) {
    for (const std::array<double, 2> deviation :
         {std::array{0.1, 0.0}, std::array{0.05, 0.1}, std::array{0.0, 0.2}}) {
      CAPTURE(mean[0], mean[1], deviation[0], deviation[1]);
      const double drawn = drawn_gain(stairs(), reference, mean, deviation);
      CHECK(gain.gain(mean, deviation) == Approx(drawn).epsilon(0.05).margin(5e-4));
    }
  }
}

TEST_CASE("a certain gain is the hypervolume added", "[search][unit]") {
  const std::array reference{1.0, 1.0};
  const std::array certain{0.0, 0.0};
  detail::ExpectedGain gain(stairs(), reference);
  CHECK(gain.gain(std::array{0.3, 0.4}, certain) == Approx(0.1 * 0.4 + 0.3 * 0.1));
  CHECK(gain.gain(std::array{0.5, 0.6}, certain) == 0.0);
  CHECK(gain.gain(std::array{0.2, 0.6}, certain) == Approx(0.2 * 0.2));
  gain.add(std::array{0.2, 0.6});
  CHECK(gain.gain(std::array{0.2, 0.6}, certain) == 0.0);
  CHECK(gain.gain(std::array{2.0, 0.0}, certain) == 0.0);
  // With one coordinate it is the improvement, with three the volume of the mean.
  MetricTable one(1, 1);
  one.row(0)[0] = 0.5;
  const detail::ExpectedGain improvement(one, std::array{1.0});
  CHECK(improvement.gain(std::array{0.3}, std::array{0.0}) == Approx(0.2));
  CHECK(improvement.gain(std::array{0.5}, std::array{0.1}) == Approx(0.1 * 0.3989423));
  MetricTable three(1, 3);
  std::ranges::fill(three.row(0), 0.5);
  const detail::ExpectedGain volume(three, std::array{1.0, 1.0, 1.0});
  CHECK(volume.gain(std::array{0.0, 0.5, 0.5}, std::array{9.0, 9.0, 9.0}) == Approx(0.125));
  const detail::ExpectedGain empty(MetricTable(0, 2), reference);
  CHECK(empty.gain(std::array{0.5, 0.5}, certain) == Approx(0.25));
}

TEST_CASE("the start covers all sizes evenly", "[search][unit]") {
  const space::SearchSpace space = test::load_space("mbv3_32px");
  const Additive model(space);
  Split split{model};
  const auto archs = detail::size_strata(space, &split.exact, bi_objective(), 20,
                                         core::Rng::stream(1, core::Purpose::kTest));
  REQUIRE(archs.size() == 20);
  CHECK(std::set<space::Arch>(archs.begin(), archs.end()).size() == 20);
  const double low = model.latency_ms(space::smallest(space));
  const double high = model.latency_ms(space::largest(space));
  std::array<int, 4> quarters{};
  for (const space::Arch& arch : archs) {
    const double share = (model.latency_ms(arch) - low) / (high - low);
    ++quarters[static_cast<std::size_t>(std::clamp(share * 4.0, 0.0, 3.0))];
  }
  for (const int count : quarters) CHECK(count >= 3);
}

TEST_CASE("a search seen with the eyes of another problem is that problem's own search",
          "[search][property]") {
  // Random search draws the same archs whatever it looks for.
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  FakeEvaluator evaluator = model.evaluator();
  core::NullProgress progress;
  const RandomConfig config{.max_evaluations = 60, .batch_size = 7};
  const auto run = [&](const Problem& problem) {
    return run_random_search(config, space, evaluator, problem, 3, progress);
  };
  const SearchTrace other = run(bi_objective());
  for (const double limit : {0.5, 1.2, 1.4, 100.0}) {
    const Problem problem = test::best_within(limit);
    const SearchTrace own = run(problem);
    const SearchTrace seen = rescored(other, problem);
    CHECK(seen.best == own.best);
    CHECK(seen.front == own.front);
    CHECK(seen.num_feasible() == own.num_feasible());
    CHECK(seen.best.has_value() == (seen.stop_reason != StopReason::kNoFeasibleFound));
    REQUIRE(seen.generations.size() == own.generations.size());
    for (std::size_t g = 0; g < own.generations.size(); ++g) {
      CHECK(seen.generations[g].num_evaluations == own.generations[g].num_evaluations);
      CHECK(seen.generations[g].best == own.generations[g].best);
      CHECK(seen.generations[g].mean == own.generations[g].mean);
      CHECK(seen.generations[g].feasible_share == own.generations[g].feasible_share);
    }
  }
}

}  // namespace
}  // namespace omnifit::search
