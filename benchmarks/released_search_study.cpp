// Prints the table of experiments/released_search: how well and how fast searches do on the
// released predictor and latency tables.

#include "benchmarks/released_space.hpp"
#include "core/error.hpp"
#include "core/rng.hpp"
#include "predictors/reference_predictor.hpp"
#include "search/strategy.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace omnifit;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The released predictor and the Note 10's latency.
class ReleasedEvaluator final : public search::Evaluator {
 public:
  ReleasedEvaluator(const predictors::ReferencePredictor& predictor,
                    const space::AdditiveCost& latency_ms, int threads, double early_s)
      : predictor_(predictor), latency_ms_(latency_ms), threads_(threads), early_s_(early_s) {}
  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    const double asked_s = seconds_now() - start_s_;
    search::MetricTable table(archs.size(), 2);
    std::vector<double> top1(archs.size());
    predictor_.predict(archs, top1, threads_);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      table.row(i)[0] = top1[i];
      table.row(i)[1] = latency_ms_(archs[i]);
      if (asked_s > early_s_ || table.row(i)[1] > budget_ms_) continue;
      if (top1[i] > best_early_) best_early_ = top1[i];
    }
    return table;
  }
  /// A search under a latency bound starts now.
  void begin(double budget_ms) {
    budget_ms_ = budget_ms;
    best_early_ = 0.0;
    start_s_ = seconds_now();
  }
  /// Best within the bound among what was asked for before `early_s` were over.
  [[nodiscard]] double best_early() const { return best_early_; }
  [[nodiscard]] std::vector<search::AdditiveMetric> additive_metrics() const override {
    return {{.column = 1, .cost = &latency_ms_}};
  }
  [[nodiscard]] int threads() const override { return threads_; }

 private:
  const predictors::ReferencePredictor& predictor_;
  const space::AdditiveCost& latency_ms_;
  int threads_;
  double early_s_;
  double budget_ms_ = 0.0;
  double best_early_ = 0.0;
  double start_s_ = 0.0;
  std::vector<search::Metric> metrics_{{.name = "top1", .maximise = true},
                                       {.name = "latency_ms", .maximise = false}};
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2.0;
}

/// What to run: budgets and seeds, and how to print.
struct Plan {
  std::vector<double> budgets_ms{15.0, 20.0, 25.0, 30.0, 35.0};
  std::uint64_t first_seed = 1;
  int seeds = 10;
  bool json = false;  ///< one line per run instead of one per budget
};

/// One run.
struct Outcome {
  search::Evaluated found;
  double seconds = 0.0;
  double early_top1 = 0.0;  ///< best of the first moments
  std::size_t distinct = 0;
};

Outcome run_once(const search::StrategyConfig& config, double budget_ms, std::uint64_t seed,
                 const space::SearchSpace& space, ReleasedEvaluator& evaluator) {
  core::NullProgress progress;
  const search::Problem problem{.objectives = {{.metric = "top1", .maximise = {}}},
                                .bounds = {{.metric = "latency_ms", .min = {}, .max = budget_ms}}};
  evaluator.begin(budget_ms);
  const double start = seconds_now();
  const search::SearchTrace trace =
      search::run_search(config, space, evaluator, problem, seed, progress);
  const double seconds = seconds_now() - start;
  return {trace.archive[trace.best.value()], seconds, evaluator.best_early(), trace.archive.size()};
}

void print_budget(const std::string& label, double budget_ms, const std::vector<Outcome>& runs,
                  const space::SearchSpace& space) {
  std::vector<double> top1;
  std::vector<double> early;
  std::vector<double> seconds;
  std::vector<double> distinct;
  for (const Outcome& run : runs) {
    top1.push_back(run.found.values[0]);
    early.push_back(run.early_top1);
    seconds.push_back(run.seconds);
    distinct.push_back(static_cast<double>(run.distinct));
  }
  const auto best = std::ranges::max_element(top1) - top1.begin();
  const search::Evaluated& found = runs[static_cast<std::size_t>(best)].found;
  const double mean =
      std::accumulate(top1.begin(), top1.end(), 0.0) / static_cast<double>(top1.size());
  fmt::print(
      "| {} | {} | {:.5f} | {:.5f} | {:.5f} | {:.5f} | {:.5f} | {:.3f} | {:.3f} | {:.0f} | "
      "{:.7f} at {:.4f} ms: {} |\n",
      label, budget_ms, median(early), median(top1), *std::ranges::min_element(top1), top1[best],
      mean, median(seconds), *std::ranges::max_element(seconds), median(distinct), found.values[0],
      found.values[1], space::to_text(space, found.arch));
  std::fflush(stdout);
}

void run_strategy(const search::StrategyConfig& config, const std::string& label, int seeds,
                  const Plan& plan, const space::SearchSpace& space, ReleasedEvaluator& evaluator) {
  for (const double budget_ms : plan.budgets_ms) {
    std::vector<Outcome> runs;
    for (int i = 0; i < seeds; ++i) {
      const std::uint64_t seed = plan.first_seed + static_cast<std::uint64_t>(i);
      runs.push_back(run_once(config, budget_ms, seed, space, evaluator));
      if (!plan.json) continue;
      const Outcome& run = runs.back();
      fmt::print(R"({{"search": "{}", "budget_ms": {}, "seed": {}, "top1": {}, "latency_ms": {}, )"
                 R"("distinct": {}, "seconds": {}, "arch": "{}"}})"
                 "\n",
                 label, budget_ms, seed, run.found.values[0], run.found.values[1], run.distinct,
                 run.seconds, space::to_text(space, run.found.arch));
      std::fflush(stdout);
    }
    if (!plan.json) print_budget(label, budget_ms, runs, space);
  }
}

void print_cost_rate(const space::SearchSpace& space, const space::AdditiveCost& latency_ms) {
  core::Rng rng = core::Rng::stream(1, core::Purpose::kSynthetic);
  std::vector<space::Arch> archs;
  for (int i = 0; i < 20'000; ++i) archs.push_back(space::sample(space, rng));
  double sum = 0.0;
  constexpr int kRounds = 50;
  const double start = seconds_now();
  for (int round = 0; round < kRounds; ++round) {
    for (const space::Arch& arch : archs) sum += latency_ms(arch);
  }
  const double rate = kRounds * static_cast<double>(archs.size()) / (seconds_now() - start);
  fmt::print("latency estimates: {:.1f} million a second (mean {:.3f} ms)\n", rate / 1e6,
             sum / kRounds / static_cast<double>(archs.size()));
}

/// A search of the tables, and how many times the seeds of a plan it takes.
struct Named {
  std::string label;
  search::StrategyConfig config;
  int repeats = 1;
};

std::vector<Named> all_searches() {
  constexpr std::int64_t kCalls = 30'000;
  return {{"default", search::EvolutionConfig{}},
          {"30000_calls", search::EvolutionConfig{.max_evaluations = kCalls}},
          {"reference", search::ReferenceConfig{}, 2},
          {"local_search", search::LocalSearchConfig{.max_evaluations = kCalls}},
          {"random", search::RandomConfig{.max_evaluations = kCalls}}};
}

int run(int argc, char** argv) {
  CLI::App app("Searches on the released predictor and latency tables");
  std::string data = std::string(OMNIFIT_SHARED_DATA) + "/ofa_released";
  Plan plan;
  int threads = 1;
  double early_s = 1.0;
  std::vector<std::string> only;
  app.add_option("--data", data, "folder with acc_predictor.pth and note10/");
  app.add_option("--seeds", plan.seeds, "runs of every search; the reference has twice as many");
  app.add_option("--first-seed", plan.first_seed, "the others follow");
  app.add_option("--budget", plan.budgets_ms, "milliseconds");
  app.add_option("--search", only,
                 "default, 30000_calls, reference, local_search, random; all if none is named");
  app.add_option("--threads", threads, "of the predictor");
  app.add_option("--early", early_s, "seconds after which to look for the first time");
  app.add_flag("--json", plan.json, "one line per run");
  CLI11_PARSE(app, argc, argv);
  const space::SearchSpace space = released_space();
  const space::AdditiveCost latency_ms =
      released_note10(space, std::filesystem::path(data) / "note10");
  const auto predictor = predictors::ReferencePredictor::load(
      std::filesystem::path(data) / "acc_predictor.pth", space);
  ReleasedEvaluator evaluator(predictor, latency_ms, threads, early_s);
  if (!plan.json) {
    print_cost_rate(space, latency_ms);
    fmt::print(
        "| search | budget | median after {} s | median | worst | best | mean | seconds | most | "
        "distinct | best "
        "arch |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        early_s);
  }
  for (const Named& one : all_searches()) {
    if (!only.empty() && std::ranges::find(only, one.label) == only.end()) continue;
    run_strategy(one.config, one.label, one.repeats * plan.seeds, plan, space, evaluator);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
