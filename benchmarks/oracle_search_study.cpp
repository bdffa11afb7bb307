// Searches for the trade-off of accuracy and MACs of Once-for-All subnets, each accuracy counted as
// a costly measurement. A Gaussian process on the measured subnets stands for the measurement, so
// that any subnet can be asked about; experiments/active_search says how to read the result.
#include "benchmarks/both_evaluators.hpp"
#include "core/error.hpp"
#include "learn/cross_validation.hpp"
#include "learn/gaussian_process.hpp"
#include "learn/metrics.hpp"
#include "learn/regressors.hpp"
#include "predictors/arch_surrogate.hpp"
#include "predictors/features.hpp"
#include "search/active.hpp"
#include "search/hypervolume.hpp"
#include "search/nsga.hpp"
#include "search/random_search.hpp"
#include "space/costs.hpp"
#include "space/encoding.hpp"
#include "tests/predictors/ofa_table.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace omnifit {
namespace {

constexpr double kMillion = 1e6;
/// Worst corner: 500 M MACs, 70 %.
constexpr std::array<double, 2> kReference{-70.0, 500.0};

struct Arguments {
  std::string table;
  std::vector<std::int64_t> evaluations{50, 100, 150, 200, 250, 300, 350};
  std::vector<std::string> strategies{"active", "linas", "nsga2", "random"};
  int first_seed = 1;
  int seeds = 3;
  std::int64_t best_known = 50'000;
  search::ActiveConfig active;
};

/// Measured subnets, those of equal archs averaged.
struct Measured {
  std::vector<space::Arch> archs;
  std::vector<double> top1_percent;
};

Measured read_measured(const space::SearchSpace& space, const std::string& file) {
  const test::AccuracyTable table = test::read_accuracy_table(space, file);
  std::map<space::Arch, std::vector<double>> by_arch;
  for (std::size_t i = 0; i < table.archs.size(); ++i) {
    by_arch[table.archs[i]].push_back(100.0 * table.top1[i]);
  }
  Measured measured;
  for (const auto& [arch, values] : by_arch) {
    measured.archs.push_back(arch);
    measured.top1_percent.push_back(std::accumulate(values.begin(), values.end(), 0.0) /
                                    static_cast<double>(values.size()));
  }
  return measured;
}

/// Top-1 in per cent. Its columns are the choices of the genes alone, in a group per axis: what the
/// searches' own models know of costs it does not.
class Oracle final : public search::Evaluator {
 public:
  Oracle(const space::SearchSpace& space, const Measured& measured) : space_(space) {
    std::map<space::Axis, int> group_of_axis;
    std::vector<int> groups;
    for (const space::Gene& gene : space.genes()) {
      const auto next = static_cast<int>(group_of_axis.size());
      groups.insert(groups.end(), gene.choices.size(),
                    group_of_axis.try_emplace(gene.axis, next).first->second);
    }
    model_ = learn::GaussianProcessRegressor(groups);
    const Eigen::MatrixXd x = encode(measured.archs);
    const Eigen::Map<const Eigen::VectorXd> y(measured.top1_percent.data(), x.rows());
    judge(groups, x, y);
    model_.fit(x, y);
  }

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), 1);
    const Eigen::VectorXd mean = model_.predict_mean(encode(archs));
    for (std::size_t i = 0; i < archs.size(); ++i) {
      table.row(i)[0] = mean(static_cast<Eigen::Index>(i));
    }
    return table;
  }

 private:
  /// Every tenth subnet held out.
  static void judge(const std::vector<int>& groups, const Eigen::MatrixXd& x,
                    const Eigen::VectorXd& y) {
    std::vector<Eigen::Index> seen;
    std::vector<Eigen::Index> held_out;
    for (Eigen::Index i = 0; i < x.rows(); ++i) (i % 10 == 0 ? held_out : seen).push_back(i);
    learn::GaussianProcessRegressor model(groups);
    model.fit(x(seen, Eigen::all), y(seen));
    const Eigen::VectorXd mean = model.predict_mean(x(held_out, Eigen::all));
    const Eigen::VectorXd truth = y(held_out);
    const auto size = held_out.size();
    std::printf("oracle: %zu subnets, RMSE on every tenth held out %.3f points\n",
                static_cast<std::size_t>(x.rows()),
                learn::rmse({mean.data(), size}, {truth.data(), size}));
  }

  [[nodiscard]] Eigen::MatrixXd encode(std::span<const space::Arch> archs) const {
    constexpr space::Encoding kEncoding = space::Encoding::kOneHot;
    std::vector<double> row(static_cast<std::size_t>(space::num_columns(space_, kEncoding)));
    Eigen::MatrixXd x(static_cast<Eigen::Index>(archs.size()),
                      static_cast<Eigen::Index>(row.size()));
    for (std::size_t i = 0; i < archs.size(); ++i) {
      space::encode(space_, archs[i], kEncoding, row);
      x.row(static_cast<Eigen::Index>(i)) =
          Eigen::Map<const Eigen::RowVectorXd>(row.data(), x.cols());
    }
    return x;
  }

  const space::SearchSpace& space_;
  std::vector<search::Metric> metrics_{{.name = "top1_percent", .maximise = true}};
  learn::GaussianProcessRegressor model_;
};

/// Millions of MACs, exact.
class Macs final : public search::Evaluator {
 public:
  explicit Macs(const space::SearchSpace& space)
      : cost_(space::AdditiveCost::compile(space, {3, 1000}, [](const space::LayerSpec& spec) {
          return std::optional(static_cast<double>(space::macs(spec)) / kMillion);
        })) {}

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), 1);
    for (std::size_t i = 0; i < archs.size(); ++i) table.row(i)[0] = cost_(archs[i]);
    return table;
  }

 private:
  std::vector<search::Metric> metrics_{{.name = "mmacs", .maximise = false}};
  space::AdditiveCost cost_;
};

/// A fitted model in the oracle's place.
class Predicted final : public search::Evaluator {
 public:
  Predicted(const predictors::ArchFeatures& features, const learn::Regressor& model)
      : features_(features), model_(model) {}
  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), 1);
    const Eigen::VectorXd mean = model_.predict_mean(features_.encode(archs));
    for (std::size_t i = 0; i < archs.size(); ++i) {
      table.row(i)[0] = mean(static_cast<Eigen::Index>(i));
    }
    return table;
  }

 private:
  const predictors::ArchFeatures& features_;
  const learn::Regressor& model_;
  std::vector<search::Metric> metrics_{{.name = "top1_percent", .maximise = true}};
};

class Study {
 public:
  Study(const Arguments& arguments, const space::SearchSpace& space, const Measured& measured)
      : arguments_(arguments), space_(space), oracle_(space, measured), macs_(space) {}

  void print() {
    const double best = best_known();
    std::printf("best known hypervolume: %.1f (points x M MACs)\n\n", best);
    std::printf("strategy,seed,evaluations,share\n");
    for (int i = 0; i < arguments_.seeds; ++i) {
      const auto seed = static_cast<std::uint64_t>(arguments_.first_seed + i);
      for (const std::string& strategy : arguments_.strategies) {
        const std::vector<space::Arch> archs = run(strategy, seed);
        for (const std::int64_t evaluations : arguments_.evaluations) {
          const auto count = std::min(archs.size(), static_cast<std::size_t>(evaluations));
          std::printf("%s,%llu,%lld,%.4f\n", strategy.c_str(),
                      static_cast<unsigned long long>(seed), static_cast<long long>(evaluations),
                      hypervolume(std::span(archs).first(count)) / best);
        }
        std::fflush(stdout);
      }
    }
  }

 private:
  [[nodiscard]] double hypervolume(std::span<const space::Arch> archs) {
    BothEvaluator both(oracle_, macs_);
    search::MetricTable points = both.evaluate(archs);
    for (std::size_t i = 0; i < points.rows(); ++i) points.row(i)[0] *= -1.0;
    return search::hypervolume(points, kReference);
  }

  /// Of a long NSGA-II that measures everything.
  [[nodiscard]] double best_known() {
    BothEvaluator both(oracle_, macs_);
    search::Nsga2Config config;
    config.population_size = 200;
    config.generations = 100'000;
    config.max_evaluations = arguments_.best_known;
    const search::SearchTrace trace =
        search::run_nsga2(config, space_, both, problem_, 1, progress_);
    return hypervolume(archs_of(trace));
  }

  [[nodiscard]] static std::vector<space::Arch> archs_of(const search::SearchTrace& trace) {
    std::vector<space::Arch> archs;
    for (const search::Evaluated& member : trace.archive) archs.push_back(member.arch);
    return archs;
  }

  /// Archs in the order a strategy measured them.
  std::vector<space::Arch> run(const std::string& strategy, std::uint64_t seed) {
    const std::int64_t budget = std::ranges::max(arguments_.evaluations);
    BothEvaluator both(oracle_, macs_);
    if (strategy == "linas") return linas(budget, seed);
    if (strategy == "random") {
      return archs_of(search::run_random_search({.max_evaluations = budget}, space_, both, problem_,
                                                seed, progress_));
    }
    if (strategy == "nsga2") {
      search::Nsga2Config config;
      config.population_size = 50;
      config.max_evaluations = budget;
      return archs_of(search::run_nsga2(config, space_, both, problem_, seed, progress_));
    }
    if (strategy != "active") throw ConfigError("unknown strategy '" + strategy + "'");
    search::ActiveConfig config = arguments_.active;
    config.max_evaluations = budget;
    const search::ActiveSeams seams{
        .measured = oracle_, .exact = &macs_, .surrogate = [this](const search::Metric&) {
          return std::make_unique<predictors::ArchSurrogate>(space_, io_);
        }};
    return archs_of(search::run_active_search(config, space_, seams, problem_, seed, progress_));
  }

  /// The loop of LINAS: measure fifty, fit ridge or kernel regression by cross-validation, search
  /// on the model, and measure the last population next. MACs are exact here too.
  std::vector<space::Arch> linas(std::int64_t budget, std::uint64_t seed) {
    constexpr int kBatch = 50;
    const predictors::ArchFeatures features(space_, io_);
    BothEvaluator both(oracle_, macs_);
    std::vector<space::Arch> archs = archs_of(search::run_random_search(
        {.max_evaluations = kBatch}, space_, both, problem_, seed, progress_));
    std::set<space::Arch> known(archs.begin(), archs.end());
    while (static_cast<std::int64_t>(archs.size()) < budget) {
      const auto model = fitted(features, archs, seed);
      Predicted predicted(features, *model);
      BothEvaluator on_model(predicted, macs_);
      search::Nsga2Config config;
      config.population_size = kBatch;
      config.max_evaluations = 20'000;
      const search::SearchTrace trace = search::run_nsga2(config, space_, on_model, problem_,
                                                          seed + 1000 * archs.size(), progress_);
      // The front first, then whatever the search saw last.
      std::vector<space::Arch> wanted;
      for (const std::size_t i : trace.front) wanted.push_back(trace.archive[i].arch);
      if (wanted.size() > kBatch) wanted = evenly(wanted, kBatch);
      for (std::size_t i = trace.archive.size(); i-- > 0;) wanted.push_back(trace.archive[i].arch);
      const std::size_t target = archs.size() + kBatch;
      for (const space::Arch& arch : wanted) {
        if (archs.size() < target && known.insert(arch).second) archs.push_back(arch);
      }
    }
    return archs;
  }

  [[nodiscard]] static std::vector<space::Arch> evenly(const std::vector<space::Arch>& archs,
                                                       std::size_t count) {
    std::vector<space::Arch> taken;
    for (std::size_t i = 0; i < count; ++i) {
      taken.push_back(archs[i * (archs.size() - 1) / (count - 1)]);
    }
    return taken;
  }

  std::unique_ptr<learn::Regressor> fitted(const predictors::ArchFeatures& features,
                                           std::span<const space::Arch> archs, std::uint64_t seed) {
    const Eigen::MatrixXd x = features.encode(archs);
    const search::MetricTable measured = oracle_.evaluate(archs);
    Eigen::VectorXd y(x.rows());
    for (Eigen::Index i = 0; i < x.rows(); ++i) y(i) = measured.row(static_cast<std::size_t>(i))[0];
    const learn::RegressorOptions options{features.column_groups(), seed};
    std::unique_ptr<learn::Regressor> best;
    double least = 0.0;
    for (const learn::ModelChoice choice :
         {learn::ModelChoice::kRidge, learn::ModelChoice::kKernelRidge}) {
      const auto make = [&] { return learn::make_regressor(choice, options); };
      core::Rng rng = core::Rng::stream(seed, core::Purpose::kFit, {1});
      const Eigen::VectorXd predicted = learn::cross_validate(make, x, y, 5, rng);
      const double error = learn::rmse({predicted.data(), archs.size()}, {y.data(), archs.size()});
      if (best && error >= least) continue;
      least = error;
      best = make();
    }
    best->fit(x, y);
    return best;
  }

  const Arguments& arguments_;
  const space::SearchSpace& space_;
  space::TaskIo io_{3, 1000};
  Oracle oracle_;
  Macs macs_;
  search::Problem problem_{.objectives = {{"top1_percent", {}}, {"mmacs", {}}}, .bounds = {}};
  core::NullProgress progress_;
};

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) {
  using namespace omnifit;
  Arguments arguments;
  CLI::App app("Searches for accuracy against MACs on a model of measured subnets");
  app.add_option("table", arguments.table, "ofa_mbv3_w1.0_imagenet_top1.csv")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--evaluations", arguments.evaluations, "where to look")->delimiter(',');
  app.add_option("--strategies", arguments.strategies, "active, linas, nsga2, random")
      ->delimiter(',');
  app.add_option("--first-seed", arguments.first_seed, "of the runs");
  app.add_option("--seeds", arguments.seeds, "runs of each");
  app.add_option("--best-known", arguments.best_known, "evaluations of the long NSGA-II");
  app.add_option("--initial", arguments.active.initial_samples, "of active search");
  app.add_option("--batch", arguments.active.batch_size, "of active search");
  CLI11_PARSE(app, argc, argv);
  try {
    const space::SearchSpace space = test::ofa_space();
    Study(arguments, space, read_measured(space, arguments.table)).print();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
  return 0;
}
