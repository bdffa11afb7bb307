// Prints the table of experiments/released_search: how well and how fast searches do on the
// released predictor and latency tables.

#include "core/error.hpp"
#include "core/rng.hpp"
#include "formats/latency_table_file.hpp"
#include "latency_lut/foreign_tables.hpp"
#include "predictors/reference_predictor.hpp"
#include "search/strategy.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace omnifit;

constexpr space::TaskIo kIo{3, 1000};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

space::SearchSpace released_space() {
  core::Node root = core::load_yaml(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs" /
                                    "space" / "ofa_mbv3.yaml");
  core::apply_override(root, "width_mult=1.2");
  core::apply_override(root, "resolutions=[160, 176, 192, 208, 224]");
  return space::SearchSpace::from_yaml(root);
}

space::AdditiveCost note10(const space::SearchSpace& space, const std::filesystem::path& folder) {
  std::vector<formats::ForeignLatencyTable> tables;
  for (const int resolution : space.resolutions()) {
    tables.push_back(
        formats::read_latency_table(folder / fmt::format("{}_lookup_table.yaml", resolution)));
  }
  const auto dialect = latency::ForeignTables::detect_dialect(tables, space, kIo);
  return latency::ForeignTables(std::move(tables), dialect).compile(space, kIo);
}

/// The released predictor and the Note 10's latency.
class ReleasedEvaluator final : public search::Evaluator {
 public:
  ReleasedEvaluator(const predictors::ReferencePredictor& predictor,
                    const space::AdditiveCost& latency_ms, int threads)
      : predictor_(predictor), latency_ms_(latency_ms), threads_(threads) {}
  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), 2);
    top1_.resize(archs.size());
    predictor_.predict(archs, top1_, threads_);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      table.row(i)[0] = top1_[i];
      table.row(i)[1] = latency_ms_(archs[i]);
    }
    return table;
  }
  [[nodiscard]] std::vector<search::AdditiveMetric> additive_metrics() const override {
    return {{.column = 1, .cost = &latency_ms_}};
  }

 private:
  const predictors::ReferencePredictor& predictor_;
  const space::AdditiveCost& latency_ms_;
  int threads_;
  std::vector<double> top1_;
  std::vector<search::Metric> metrics_{{.name = "top1", .maximise = true},
                                       {.name = "latency_ms", .maximise = false}};
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2.0;
}

void run_strategy(const search::StrategyConfig& config, const std::string& label, int seeds,
                  const space::SearchSpace& space, search::Evaluator& evaluator) {
  core::NullProgress progress;
  for (const double budget_ms : {15.0, 20.0, 25.0, 30.0, 35.0}) {
    const search::Problem problem{
        .objectives = {{.metric = "top1", .maximise = {}}},
        .bounds = {{.metric = "latency_ms", .min = {}, .max = budget_ms}}};
    std::vector<double> top1;
    std::vector<double> seconds;
    std::vector<double> distinct;
    search::Evaluated best;
    for (int seed = 0; seed < seeds; ++seed) {
      const double start = seconds_now();
      const search::SearchTrace trace = search::run_search(
          config, space, evaluator, problem, static_cast<std::uint64_t>(seed), progress);
      seconds.push_back(seconds_now() - start);
      distinct.push_back(static_cast<double>(trace.archive.size()));
      const search::Evaluated& found = trace.archive[trace.best.value()];
      top1.push_back(found.values[0]);
      if (best.values.empty() || found.values[0] > best.values[0]) best = found;
    }
    const double mean = std::accumulate(top1.begin(), top1.end(), 0.0) / seeds;
    fmt::print(
        "{} | {} ms | {:.6f} | {:.6f} | {:.6f} | {:.3f} | {:.0f} | {:.7f} at {:.4f} ms: {}\n",
        label, budget_ms, median(top1), mean, *std::ranges::min_element(top1), median(seconds),
        median(distinct), best.values[0], best.values[1], space::to_text(space, best.arch));
    std::fflush(stdout);
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

int run(int argc, char** argv) {
  CLI::App app("Searches on the released predictor and latency tables");
  std::string data = std::string(OMNIFIT_SHARED_DATA) + "/ofa_released";
  int seeds = 10;
  int threads = 1;
  app.add_option("--data", data, "folder with acc_predictor.pth and note10/");
  app.add_option("--seeds", seeds, "runs of every search; the reference has twice as many");
  app.add_option("--threads", threads, "of the predictor");
  CLI11_PARSE(app, argc, argv);
  const space::SearchSpace space = released_space();
  const space::AdditiveCost latency_ms = note10(space, std::filesystem::path(data) / "note10");
  const auto predictor = predictors::ReferencePredictor::load(
      std::filesystem::path(data) / "acc_predictor.pth", space);
  ReleasedEvaluator evaluator(predictor, latency_ms, threads);
  print_cost_rate(space, latency_ms);
  fmt::print("search | budget | median | mean | worst | seconds | distinct archs | best\n");
  run_strategy(search::EvolutionConfig{}, "default", seeds, space, evaluator);
  run_strategy(search::EvolutionConfig{.max_evaluations = 30'000}, "30,000 calls", seeds, space,
               evaluator);
  run_strategy(search::ReferenceConfig{}, "reference", 2 * seeds, space, evaluator);
  run_strategy(search::LocalSearchConfig{.max_evaluations = 30'000}, "local search", seeds, space,
               evaluator);
  run_strategy(search::RandomConfig{.max_evaluations = 30'000}, "random", seeds, space, evaluator);
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
