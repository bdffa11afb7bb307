// Searches over a published benchmark, at equal numbers of measured archs: active search, NSGA-II
// and random search, for every device's latency beside an accuracy. Prints which share of the true
// front's hypervolume each has found; experiments/active_search says how to read it.
#include "core/error.hpp"
#include "core/fields.hpp"
#include "core/table.hpp"
#include "predictors/arch_surrogate.hpp"
#include "search/active.hpp"
#include "search/hypervolume.hpp"
#include "search/nsga.hpp"
#include "search/random_search.hpp"
#include "search/tabular_evaluator.hpp"
#include "space/tabular.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

namespace omnifit {
namespace {

struct Arguments {
  std::string space = OMNIFIT_SOURCE_DIR "/configs/space/nasbench201.yaml";
  std::string data = OMNIFIT_SHARED_DATA;
  std::vector<std::string> gains{"cifar10_top1", "cifar100_top1"};
  std::vector<std::string> costs;
  std::vector<std::int64_t> evaluations{50, 100, 200, 300};
  std::vector<std::string> strategies{"active", "active-learned", "nsga2", "random"};
  int first_seed = 1;
  int seeds = 10;
  search::ActiveConfig active;
};

/// Two metrics of a table, brought to [0, 1] by their ranges over all archs of the table: 0 is
/// best, 1 worst, and the reference of every hypervolume.
class Plane {
 public:
  Plane(const space::TabularData& data, const std::string& gain, const std::string& cost)
      : columns_{data.column(gain), data.column(cost)} {
    for (std::size_t c = 0; c < 2; ++c) {
      const double sign = data.metrics()[columns_[c]].maximise ? -1.0 : 1.0;
      best_[c] = std::numeric_limits<double>::infinity();
      worst_[c] = -best_[c];
      for (const space::Arch& arch : data.archs()) {
        const double value = sign * (*data.find(arch))[columns_[c]];
        if (!std::isfinite(value)) continue;
        best_[c] = std::min(best_[c], value);
        worst_[c] = std::max(worst_[c], value);
      }
      sign_[c] = sign;
    }
  }

  [[nodiscard]] double hypervolume(const space::TabularData& data,
                                   std::span<const space::Arch> archs) const {
    search::MetricTable points(archs.size(), 2);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      const auto row = data.find(archs[i]);
      for (std::size_t c = 0; c < 2; ++c) {
        points.row(i)[c] =
            row ? (sign_[c] * (*row)[columns_[c]] - best_[c]) / (worst_[c] - best_[c])
                : std::numeric_limits<double>::quiet_NaN();
      }
    }
    const std::array<double, 2> reference{1.0, 1.0};
    return search::hypervolume(points, reference);
  }

 private:
  std::array<std::size_t, 2> columns_;
  std::array<double, 2> sign_{};
  std::array<double, 2> best_{};
  std::array<double, 2> worst_{};
};

class Study {
 public:
  Study(const Arguments& arguments, const space::SearchSpace& space, const space::TabularData& data)
      : arguments_(arguments), space_(space), data_(data) {}

  /// Archs in the order a strategy measured them.
  std::vector<space::Arch> run(const std::string& strategy, const std::string& gain,
                               const std::string& cost, std::uint64_t seed) const {
    const std::array<search::TabularColumn, 2> both{{{gain, ""}, {cost, ""}}};
    search::TabularEvaluator table(data_, both);
    search::TabularEvaluator gains(data_, std::span(both).first(1));
    search::TabularEvaluator costs(data_, std::span(both).last(1));
    const search::Problem problem{.objectives = {{gain, {}}, {cost, {}}}, .bounds = {}};
    core::NullProgress progress;
    const std::int64_t budget = std::ranges::max(arguments_.evaluations);
    search::SearchTrace trace;
    if (strategy == "random") {
      trace = search::run_random_search({.max_evaluations = budget}, space_, table, problem, seed,
                                        progress);
    } else if (strategy == "nsga2") {
      search::Nsga2Config config;
      config.population_size = 50;
      config.max_evaluations = budget;
      trace = search::run_nsga2(config, space_, table, problem, seed, progress);
    } else {
      const bool learned = strategy == "active-learned";
      const search::SurrogateFactory surrogate = [&](const search::Metric&) {
        return std::make_unique<predictors::ArchSurrogate>(space_, space::TaskIo{});
      };
      search::ActiveConfig config = arguments_.active;
      config.max_evaluations = budget;
      const search::ActiveSeams seams{.measured = learned ? table : gains,
                                      .exact = learned ? nullptr : &costs,
                                      .surrogate = surrogate};
      trace = search::run_active_search(config, space_, seams, problem, seed, progress);
    }
    std::vector<space::Arch> archs;
    for (const search::Evaluated& member : trace.archive) archs.push_back(member.arch);
    return archs;
  }

  /// One line per run and number of evaluations: the share of the true front's hypervolume. Seeds
  /// come outermost, so that what was printed before an early end is still balanced.
  void print() const {
    std::printf("gain,cost,strategy,seed,evaluations,share\n");
    for (int seed = arguments_.first_seed; seed < arguments_.first_seed + arguments_.seeds;
         ++seed) {
      for (const std::string& gain : arguments_.gains) {
        for (const std::string& cost : arguments_.costs) {
          const Plane plane(data_, gain, cost);
          for (const std::string& strategy : arguments_.strategies)
            print_run(plane, gain, cost, strategy, static_cast<std::uint64_t>(seed));
        }
      }
    }
  }

 private:
  void print_run(const Plane& plane, const std::string& gain, const std::string& cost,
                 const std::string& strategy, std::uint64_t seed) const {
    const double truth = plane.hypervolume(data_, data_.archs());
    const auto archs = run(strategy, gain, cost, seed);
    for (const std::int64_t evaluations : arguments_.evaluations) {
      const auto count = std::min(archs.size(), static_cast<std::size_t>(evaluations));
      const double found = plane.hypervolume(data_, std::span(archs).first(count));
      std::printf("%s,%s,%s,%llu,%lld,%.5f\n", gain.c_str(), cost.c_str(), strategy.c_str(),
                  static_cast<unsigned long long>(seed), static_cast<long long>(evaluations),
                  found / truth);
    }
    std::fflush(stdout);
  }

  const Arguments& arguments_;
  const space::SearchSpace& space_;
  const space::TabularData& data_;
};

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Searches over a published benchmark at equal numbers of measured archs");
  app.add_option("--space", arguments.space, "YAML of a tabular space");
  app.add_option("--data", arguments.data, "folder of its CSV files");
  app.add_option("--gains", arguments.gains, "metrics to set against each cost")->delimiter(',');
  app.add_option("--costs", arguments.costs, "default: all that are minimised")->delimiter(',');
  app.add_option("--evaluations", arguments.evaluations, "where to look")->delimiter(',');
  app.add_option("--strategies", arguments.strategies, "active, active-learned, nsga2, random")
      ->delimiter(',');
  app.add_option("--first-seed", arguments.first_seed, "of the runs");
  app.add_option("--seeds", arguments.seeds, "runs of each");
  app.add_option("--initial", arguments.active.initial_samples, "of active search");
  app.add_option("--batch", arguments.active.batch_size, "of active search");
  app.add_option("--exploration", arguments.active.exploration, "of active search");
  app.add_option("--candidates", arguments.active.candidates, "of active search");
  CLI11_PARSE(app, argc, argv);
  try {
    const space::SearchSpace space = space::SearchSpace::load(arguments.space);
    const auto data = space::TabularData::load(space, arguments.data);
    if (arguments.costs.empty()) {
      for (const space::TabularMetric& metric : data.metrics()) {
        if (!metric.maximise) arguments.costs.push_back(metric.name);
      }
    }
    Study(arguments, space, data).print();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
  return 0;
}

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) { return omnifit::run(argc, argv); }
