// Ranks measured ImageNet accuracies of Once-for-All subnets by predictors fitted on few of them.
#include "core/error.hpp"
#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "predictors/accuracy_predictor.hpp"
#include "space/sampling.hpp"
#include "tests/predictors/ofa_table.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace omnifit {
namespace {

struct Options {
  std::string table;
  std::string prior;
  std::vector<int> samples{20, 50, 100, 200, 400, 800};
  std::vector<std::string> models{"auto",         "ridge",         "gaussian_process",
                                  "kernel_ridge", "boosted_trees", "mlp_ensemble",
                                  "ensemble"};
  int held_out = 400;
  int repeats = 10;
  int threads = 2;
  std::uint64_t seed = 1;
};

/// Distinct subnets with the mean of their measurements.
struct Subnets {
  std::vector<space::Arch> archs;
  std::vector<double> top1;
};

Subnets read_subnets(const space::SearchSpace& space, const std::string& file) {
  const test::AccuracyTable table = test::read_accuracy_table(space, file);
  std::map<space::Arch, std::vector<double>> by_arch;
  for (std::size_t i = 0; i < table.archs.size(); ++i) {
    by_arch[table.archs[i]].push_back(table.top1[i]);
  }
  Subnets subnets;
  for (const auto& [arch, values] : by_arch) {
    subnets.archs.push_back(arch);
    subnets.top1.push_back(std::accumulate(values.begin(), values.end(), 0.0) /
                           static_cast<double>(values.size()));
  }
  return subnets;
}

/// Processor time of all threads: other load on the machine changes it little.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

/// What one repeat of one model on one number of samples gave.
struct Outcome {
  double tau = 0.0;
  double rmse = 0.0;
  double inside = 0.0;  ///< share of the held-out subnets within two deviations of the mean
  double fit_s = 0.0;
  double archs_per_s = 0.0;
  std::string kind;
};

/// The held-out subnets of a repeat come first in its order, so they are the same for every number
/// of samples, and more samples contain the fewer ones.
std::vector<std::size_t> order_of(std::size_t count, std::uint64_t seed, int repeat) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  core::Rng rng =
      core::Rng::stream(seed, core::Purpose::kSplit, {static_cast<std::uint64_t>(repeat)});
  rng.shuffle(std::span(order));
  return order;
}

Subnets take(const Subnets& subnets, std::span<const std::size_t> indices) {
  Subnets taken;
  for (const std::size_t i : indices) {
    taken.archs.push_back(subnets.archs[i]);
    taken.top1.push_back(subnets.top1[i]);
  }
  return taken;
}

Outcome run(const space::SearchSpace& space, const Options& options, const Subnets& fitted_on,
            const Subnets& held_out, std::span<const space::Arch> queries, const std::string& model,
            std::uint64_t seed, const std::shared_ptr<const predictors::Prior>& prior) {
  predictors::FitConfig config;
  for (const auto& [choice, name] : learn::model_choices()) {
    if (name == model) config.model = choice;
  }
  Outcome outcome;
  double start = cpu_seconds();
  const predictors::FitResult fit = predictors::AccuracyPredictor::fit(
      space, {3, 1000}, fitted_on.archs, fitted_on.top1, config, seed, options.threads, prior);
  outcome.fit_s = cpu_seconds() - start;
  outcome.kind = fit.predictor.kind();
  const learn::Prediction prediction = fit.predictor.predict(held_out.archs);
  const std::span<const double> predicted(prediction.mean.data(), held_out.top1.size());
  outcome.tau = learn::kendall_tau(predicted, held_out.top1);
  outcome.rmse = 100.0 * learn::rmse(predicted, held_out.top1);
  int inside = 0;
  for (std::size_t i = 0; i < held_out.top1.size(); ++i) {
    const double deviation = prediction.deviation(static_cast<Eigen::Index>(i));
    inside += std::abs(predicted[i] - held_out.top1[i]) <= 2.0 * deviation ? 1 : 0;
  }
  outcome.inside = static_cast<double>(inside) / static_cast<double>(held_out.top1.size());
  start = cpu_seconds();
  const Eigen::VectorXd means = fit.predictor.predict_mean(queries);
  outcome.archs_per_s = static_cast<double>(means.size()) / (cpu_seconds() - start);
  return outcome;
}

std::string chosen_kinds(const std::vector<Outcome>& outcomes) {
  std::map<std::string, int> counts;
  for (const Outcome& outcome : outcomes) ++counts[outcome.kind];
  std::string text;
  for (const auto& [kind, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, kind);
  }
  return text;
}

void print_row(int samples, const std::string& model, const std::vector<Outcome>& outcomes) {
  const auto column = [&](double Outcome::*member) {
    std::vector<double> values;
    for (const Outcome& outcome : outcomes) values.push_back(outcome.*member);
    return values;
  };
  std::vector<double> rates = column(&Outcome::archs_per_s);
  std::sort(rates.begin(), rates.end());
  std::printf("| %d | %s | %.4f | %.4f | %.3f | %.0f %% | %.2f | %.0f | %s |\n", samples,
              model.c_str(), mean_of(column(&Outcome::tau)), deviation_of(column(&Outcome::tau)),
              mean_of(column(&Outcome::rmse)), 100.0 * mean_of(column(&Outcome::inside)),
              mean_of(column(&Outcome::fit_s)), rates[rates.size() / 2],
              model == "auto" ? chosen_kinds(outcomes).c_str() : "");
  std::fflush(stdout);
}

int study(const Options& options) {
  const space::SearchSpace space = test::ofa_space();
  const Subnets subnets = read_subnets(space, options.table);
  const auto held_out_count = static_cast<std::size_t>(options.held_out);
  std::shared_ptr<const predictors::Prior> prior;
  if (!options.prior.empty()) {
    prior =
        std::make_shared<const predictors::Prior>(predictors::Prior::load(options.prior, space));
  }
  std::printf("%zu distinct subnets, %d held out, %d repeats, seed %llu, %d threads\n\n",
              subnets.archs.size(), options.held_out, options.repeats,
              static_cast<unsigned long long>(options.seed), options.threads);
  constexpr int kQueries = 10'000;
  core::Rng rng = core::Rng::stream(options.seed, core::Purpose::kSubnet);
  std::vector<space::Arch> queries;
  for (int i = 0; i < kQueries; ++i) queries.push_back(space::sample(space, rng));

  std::puts(
      "| samples | model | Kendall tau | its deviation | RMSE (points) | within 2 deviations "
      "| fit (CPU s) | archs per CPU s | chosen |");
  std::puts("|---|---|---|---|---|---|---|---|---|");
  for (const int samples : options.samples) {
    const auto count = static_cast<std::size_t>(samples);
    if (held_out_count + count > subnets.archs.size()) {
      throw ConfigError(fmt::format("--samples: {} and {} held out are more than the {} subnets",
                                    samples, options.held_out, subnets.archs.size()));
    }
    for (const std::string& model : options.models) {
      std::vector<Outcome> outcomes;
      for (int repeat = 0; repeat < options.repeats; ++repeat) {
        const auto order = order_of(subnets.archs.size(), options.seed, repeat);
        const std::span<const std::size_t> all(order);
        outcomes.push_back(run(space, options, take(subnets, all.subspan(held_out_count, count)),
                               take(subnets, all.first(held_out_count)), queries, model,
                               options.seed + static_cast<std::uint64_t>(repeat), prior));
      }
      print_row(samples, model, outcomes);
    }
  }
  return 0;
}

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) {
  omnifit::Options options;
  CLI::App app("Ranks measured accuracies of subnets by predictors fitted on few of them.");
  app.add_option("table", options.table, "ofa_mbv3_w1.0_imagenet_top1.csv")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--prior", options.prior,
                 "predictor that the models correct, e.g. ofa_released/acc_predictor.pth")
      ->check(CLI::ExistingFile);
  app.add_option("--samples", options.samples, "numbers of subnets to fit on")->delimiter(',');
  app.add_option("--models", options.models, "as the job's fit.model")->delimiter(',');
  app.add_option("--held-out", options.held_out, "subnets to judge on")
      ->check(CLI::Range(2, 100000));
  app.add_option("--repeats", options.repeats)->check(CLI::Range(1, 1000));
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 256));
  app.add_option("--seed", options.seed);
  CLI11_PARSE(app, argc, argv);
  try {
    return omnifit::study(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
