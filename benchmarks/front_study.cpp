// How much of a front multi-objective searches find, by hypervolume over evaluations: on a
// published benchmark, whose true front is known, and in the released ofa_mbv3 space with
// predictor, latency table and MACs. Prints one line per run and number of evaluations;
// experiments/fronts says how to read it.
#include "benchmarks/both_evaluators.hpp"
#include "benchmarks/released_space.hpp"
#include "core/error.hpp"
#include "core/fields.hpp"
#include "predictors/arch_surrogate.hpp"
#include "predictors/reference_predictor.hpp"
#include "search/active.hpp"
#include "search/hypervolume.hpp"
#include "search/pareto.hpp"
#include "search/strategy.hpp"
#include "search/tabular_evaluator.hpp"
#include "space/costs.hpp"
#include "space/tabular.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace omnifit {
namespace {

using Point = std::vector<double>;

struct Arguments {
  std::string data = OMNIFIT_SHARED_DATA;
  bool released = false;
  std::string gain = "cifar10_top1";
  std::vector<std::string> costs;
  std::vector<std::int64_t> evaluations{100, 300, 1000, 3000};
  std::vector<std::string> strategies{"nsga2", "nsga3", "evolution", "active", "random"};
  int population = 100;
  std::int64_t active_evaluations = 300;
  int first_seed = 1;
  int seeds = 5;
  std::int64_t long_evaluations = 100'000;
};

/// The released accuracy predictor.
class PredictedTop1 final : public search::Evaluator {
 public:
  explicit PredictedTop1(const predictors::ReferencePredictor& predictor) : predictor_(predictor) {}
  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), 1);
    std::vector<double> top1(archs.size());
    predictor_.predict(archs, top1, 1);
    for (std::size_t i = 0; i < archs.size(); ++i) table.row(i)[0] = top1[i];
    return table;
  }

 private:
  const predictors::ReferencePredictor& predictor_;
  std::vector<search::Metric> metrics_{{.name = "top1", .maximise = true}};
};

/// Sums over the units of a network.
class AdditiveCosts final : public search::Evaluator {
 public:
  explicit AdditiveCosts(std::vector<std::pair<std::string, space::AdditiveCost>> costs)
      : costs_(std::move(costs)) {
    for (const auto& [name, cost] : costs_) metrics_.push_back({.name = name, .maximise = false});
  }
  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), costs_.size());
    for (std::size_t i = 0; i < archs.size(); ++i) {
      for (std::size_t c = 0; c < costs_.size(); ++c) table.row(i)[c] = costs_[c].second(archs[i]);
    }
    return table;
  }

 private:
  std::vector<std::pair<std::string, space::AdditiveCost>> costs_;
  std::vector<search::Metric> metrics_;
};

/// A trade-off to search: accuracy, which is costly, against costs that are not.
struct Trade {
  std::string name;
  const space::SearchSpace& space;
  space::TaskIo io;
  search::Evaluator& accuracy;
  search::Evaluator& costs;

  [[nodiscard]] search::Problem problem() const {
    search::Problem problem;
    for (const search::Metric& metric : accuracy.metrics())
      problem.objectives.push_back({metric.name, {}});
    for (const search::Metric& metric : costs.metrics())
      problem.objectives.push_back({metric.name, {}});
    return problem;
  }
};

/// All coordinates to be minimised, in the order they were evaluated.
std::vector<Point> points_of(const search::SearchTrace& trace) {
  std::vector<Point> points;
  for (const search::Evaluated& member : trace.archive) points.push_back(member.score.objectives);
  return points;
}

search::SearchTrace run_strategy(const Trade& trade, const std::string& strategy,
                                 std::int64_t evaluations, const Arguments& arguments,
                                 std::uint64_t seed) {
  core::NullProgress progress;
  const search::Problem problem = trade.problem();
  if (strategy == "active") {
    search::ActiveConfig config;
    config.max_evaluations = std::min(evaluations, arguments.active_evaluations);
    const search::ActiveSeams seams{
        .measured = trade.accuracy, .exact = &trade.costs, .surrogate = [&](const search::Metric&) {
          return std::make_unique<predictors::ArchSurrogate>(trade.space, trade.io);
        }};
    return search::run_active_search(config, trade.space, seams, problem, seed, progress);
  }
  BothEvaluator both(trade.accuracy, trade.costs);
  const auto nsga = [&](auto config) {
    config.population_size = arguments.population;
    config.generations = 1'000'000;
    config.max_evaluations = evaluations;
    return search::StrategyConfig(config);
  };
  search::StrategyConfig config = search::RandomConfig{.max_evaluations = evaluations};
  if (strategy == "nsga2") {
    config = nsga(search::Nsga2Config{});
  } else if (strategy == "nsga3") {
    config = nsga(search::Nsga3Config{});
  } else if (strategy == "evolution") {
    config = nsga(search::EvolutionConfig{});
  } else if (strategy != "random") {
    throw ConfigError(fmt::format(
        "--strategies: unknown '{}' (allowed: nsga2, nsga3, evolution, active, random)", strategy));
  }
  // Active search begins with both ends of the space, so the others do.
  const std::array ends{space::smallest(trade.space), space::largest(trade.space)};
  return search::run_search(config, trade.space, both, problem, seed, progress, ends);
}

search::MetricTable table_of(std::span<const Point> points) {
  search::MetricTable table(points.size(), points.empty() ? 0 : points.front().size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::ranges::copy(points[i], table.row(i).begin());
  }
  return table;
}

/// Those that no other point dominates: their hypervolume is that of all.
std::vector<Point> front_of(const std::vector<Point>& points) {
  std::vector<Point> front;
  for (const std::size_t i : search::non_dominated(table_of(points))) front.push_back(points[i]);
  return front;
}

/// Coordinates brought to [0, 1] by the best and the worst value of some points; the worst corner
/// is the reference.
class Box {
 public:
  void cover(const std::vector<Point>& points) {
    for (const Point& point : points) {
      if (low_.empty()) low_ = high_ = point;
      for (std::size_t c = 0; c < point.size(); ++c) {
        if (!std::isfinite(point[c])) continue;
        low_[c] = std::min(low_[c], point[c]);
        high_[c] = std::max(high_[c], point[c]);
      }
    }
  }

  [[nodiscard]] double hypervolume(std::span<const Point> points) const {
    search::MetricTable table = table_of(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      for (std::size_t c = 0; c < low_.size(); ++c) {
        table.row(i)[c] = (table.row(i)[c] - low_[c]) / (high_[c] - low_[c]);
      }
    }
    const Point reference(low_.size(), 1.0);
    return search::hypervolume(table, reference);
  }

 private:
  Point low_;
  Point high_;
};

/// The rows of a trade-off, against the truth or the best that is known.
void print_shares(const Trade& trade, const Box& box, const std::vector<Point>& truth,
                  const Arguments& arguments) {
  const double whole = box.hypervolume(truth);
  for (int seed = arguments.first_seed; seed < arguments.first_seed + arguments.seeds; ++seed) {
    for (const std::string& strategy : arguments.strategies) {
      const std::vector<Point> points =
          points_of(run_strategy(trade, strategy, std::ranges::max(arguments.evaluations),
                                 arguments, static_cast<std::uint64_t>(seed)));
      for (const std::int64_t evaluations : arguments.evaluations) {
        const auto count = static_cast<std::size_t>(evaluations);
        if (count > points.size()) continue;
        std::printf("%s,%s,%d,%lld,%.5f\n", trade.name.c_str(), strategy.c_str(), seed,
                    static_cast<long long>(evaluations),
                    box.hypervolume(std::span(points).first(count)) / whole);
      }
      std::fflush(stdout);
    }
  }
}

/// Accuracy against every device of the benchmark; the truth is in its tables.
void study_tables(Arguments arguments) {
  const space::SearchSpace space =
      space::SearchSpace::load(OMNIFIT_SOURCE_DIR "/configs/space/nasbench201.yaml");
  const auto data = space::TabularData::load(space, arguments.data);
  if (arguments.costs.empty()) {
    for (const space::TabularMetric& metric : data.metrics()) {
      if (!metric.maximise) arguments.costs.push_back(metric.name);
    }
  }
  for (const std::string& cost : arguments.costs) {
    const std::array<search::TabularColumn, 2> both{{{arguments.gain, ""}, {cost, ""}}};
    search::TabularEvaluator gains(data, std::span(both).first(1));
    search::TabularEvaluator costs(data, std::span(both).last(1));
    const Trade trade{arguments.gain + " x " + cost, space, {}, gains, costs};
    std::vector<Point> truth;
    for (const space::Arch& arch : data.archs()) {
      const auto row = *data.find(arch);
      truth.push_back({-row[data.column(arguments.gain)], row[data.column(cost)]});
    }
    Box box;
    box.cover(truth);
    print_shares(trade, box, truth, arguments);
  }
}

/// Predicted accuracy against latency and MACs. The best that is known is what long runs of all
/// strategies found together.
void study_released(const Arguments& arguments) {
  const std::filesystem::path folder = std::filesystem::path(arguments.data) / "ofa_released";
  const space::SearchSpace space = released_space();
  const auto predictor = predictors::ReferencePredictor::load(folder / "acc_predictor.pth", space);
  PredictedTop1 top1(predictor);
  AdditiveCosts costs(
      {{"latency_ms", released_note10(space, folder / "note10")},
       {"macs", space::AdditiveCost::compile(space, kReleasedIo, [](const space::LayerSpec& spec) {
          return std::optional(static_cast<double>(space::macs(spec)));
        })}});
  const Trade trade{"top1 x latency x macs", space, kReleasedIo, top1, costs};
  std::vector<Point> known;
  Box box;
  for (const char* strategy : {"nsga2", "nsga3", "evolution", "random"}) {
    // Other seeds than those that are compared with it.
    for (const std::uint64_t seed : {1001U, 1002U, 1003U}) {
      const auto points =
          points_of(run_strategy(trade, strategy, arguments.long_evaluations, arguments, seed));
      box.cover(points);
      const auto front = front_of(points);
      known.insert(known.end(), front.begin(), front.end());
    }
  }
  print_shares(trade, box, front_of(known), arguments);
}

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Multi-objective searches by hypervolume over evaluations");
  app.add_option("--data", arguments.data, "folder with accuracy/, latency/ and ofa_released/");
  app.add_flag("--released", arguments.released,
               "the released ofa_mbv3 predictor and table instead of NAS-Bench-201");
  app.add_option("--gain", arguments.gain, "accuracy of NAS-Bench-201");
  app.add_option("--costs", arguments.costs, "default: every device")->delimiter(',');
  app.add_option("--evaluations", arguments.evaluations, "where to look")->delimiter(',');
  app.add_option("--strategies", arguments.strategies, "nsga2, nsga3, evolution, active, random")
      ->delimiter(',');
  app.add_option("--population", arguments.population, "of the evolutions");
  app.add_option("--active-evaluations", arguments.active_evaluations, "at most, of active search");
  app.add_option("--first-seed", arguments.first_seed, "of the runs");
  app.add_option("--seeds", arguments.seeds, "runs of each");
  app.add_option("--long-evaluations", arguments.long_evaluations,
                 "of each long run behind the best known front");
  CLI11_PARSE(app, argc, argv);
  try {
    std::printf("trade_off,strategy,seed,evaluations,share\n");
    if (arguments.released) {
      study_released(arguments);
    } else {
      study_tables(arguments);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
  return 0;
}

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) { return omnifit::run(argc, argv); }
