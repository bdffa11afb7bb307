#include "predictors/accuracy_predictor.hpp"

#include "core/error.hpp"
#include "core/node.hpp"
#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "predictors/features.hpp"
#include "predictors/predictor_store.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/predictors/ofa_table.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/project.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace omnifit::predictors {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};

space::SearchSpace tiny() {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                  "configs/space/tiny.yaml");
}

struct Samples {
  std::vector<space::Arch> archs;
  std::vector<double> top1;
};

/// Distinct random archs whose accuracy grows with their cost, with a preference for large kernels.
Samples make_samples(const space::SearchSpace& space, std::size_t count) {
  core::Rng rng = core::Rng::stream(3, core::Purpose::kTest);
  std::set<space::Arch> seen;
  Samples samples;
  while (samples.archs.size() < count) {
    const space::Arch arch = space::sample(space, rng);
    if (!seen.insert(arch).second) continue;
    const auto cost = static_cast<double>(space::macs(space::lower(space, arch, kIo)));
    const double kernels = arch.choice(3) + arch.choice(5);
    samples.archs.push_back(arch);
    samples.top1.push_back(0.9 - 300.0 / std::sqrt(cost) * 0.1 + 0.004 * kernels);
  }
  return samples;
}

FitResult fit(const space::SearchSpace& space, const Samples& samples, const FitConfig& config = {},
              std::uint64_t seed = 1, int threads = 1) {
  return AccuracyPredictor::fit(space, kIo, samples.archs, samples.top1, config, seed, threads);
}

}  // namespace

TEST_CASE("A predictor learns, and its figures are those of subnets it did not see",
          "[predictors][unit]") {
  const auto space = tiny();
  const Samples samples = make_samples(space, 80);
  const FitResult result = fit(space, samples);
  CHECK(result.metrics.num_held_out == 16);
  CHECK(result.metrics.num_train == 64);
  CHECK(result.held_out.size() == 16);
  CHECK(result.metrics.kendall_tau > 0.9);
  CHECK(result.metrics.rmse < 0.01);

  std::vector<double> predicted;
  std::vector<double> measured;
  std::set<space::Arch> archs;
  for (const HeldOutPair& pair : result.held_out) {
    predicted.push_back(pair.predicted_top1);
    measured.push_back(pair.measured_top1);
    archs.insert(pair.arch);
    const auto at = std::find(samples.archs.begin(), samples.archs.end(), pair.arch);
    REQUIRE(at != samples.archs.end());
    CHECK(samples.top1[static_cast<std::size_t>(at - samples.archs.begin())] == pair.measured_top1);
  }
  CHECK(archs.size() == 16);
  CHECK(result.metrics.kendall_tau == learn::kendall_tau(predicted, measured));
  CHECK(result.metrics.spearman == learn::spearman(predicted, measured));
  CHECK(result.metrics.rmse == learn::rmse(predicted, measured));
  CHECK(result.metrics.mae == learn::mae(predicted, measured));

  // The held-out predictions come from a fit without them: the final predictor, which knows every
  // sample, says something else.
  std::vector<space::Arch> held_out;
  for (const HeldOutPair& pair : result.held_out) held_out.push_back(pair.arch);
  const learn::Prediction final_prediction = result.predictor.predict(held_out);
  int different = 0;
  for (std::size_t i = 0; i < held_out.size(); ++i) {
    different += final_prediction.mean(static_cast<Eigen::Index>(i)) != predicted[i] ? 1 : 0;
  }
  CHECK(different == 16);
}

TEST_CASE("auto takes the model with the best cross-validated tau", "[predictors][unit]") {
  const auto space = tiny();
  const Samples samples = make_samples(space, 130);  // 104 of them to choose on
  const FitResult result = fit(space, samples);
  REQUIRE(result.scores.size() == learn::single_models().size() + 1);
  const auto best = std::max_element(result.scores.begin(), result.scores.end(),
                                     [](const learn::ModelScore& a, const learn::ModelScore& b) {
                                       return a.kendall_tau < b.kendall_tau;
                                     });
  CHECK(result.predictor.kind() == core::enum_name(learn::model_choices(), best->model));

  for (const auto& [choice, name] : learn::model_choices()) {
    if (choice == learn::ModelChoice::kAuto) continue;
    FitConfig config;
    config.model = choice;
    const FitResult named = fit(space, samples, config);
    CHECK(named.predictor.kind() == name);
    CHECK(named.scores.empty() == (choice != learn::ModelChoice::kEnsemble));
    if (best->model == choice) {
      CHECK(named.predictor.serialise() == result.predictor.serialise());
    }
  }
}

TEST_CASE("A fit depends on samples and seed alone", "[predictors][property]") {
  const auto space = tiny();
  const Samples samples = make_samples(space, 40);
  const FitResult result = fit(space, samples);
  CHECK(fit(space, samples, {}, 1, 4).predictor.serialise() == result.predictor.serialise());

  Samples reversed = samples;
  std::reverse(reversed.archs.begin(), reversed.archs.end());
  std::reverse(reversed.top1.begin(), reversed.top1.end());
  const FitResult other = fit(space, reversed);
  CHECK(other.predictor.serialise() == result.predictor.serialise());
  CHECK(other.metrics.rmse == result.metrics.rmse);

  const FitResult seeded = fit(space, samples, {}, 2);
  CHECK(seeded.metrics.rmse != result.metrics.rmse);
}

TEST_CASE("A subnet measured twice is one sample with the mean", "[predictors][unit]") {
  const auto space = tiny();
  const Samples samples = make_samples(space, 30);
  Samples twice = samples;
  for (std::size_t i = 0; i < 30; ++i) {
    twice.archs.push_back(samples.archs[i]);
    twice.top1.push_back(samples.top1[i]);
  }
  const FitResult merged = fit(space, twice);
  CHECK(merged.metrics.num_train + merged.metrics.num_held_out == 30);
  CHECK(merged.predictor.serialise() == fit(space, samples).predictor.serialise());
}

TEST_CASE("Equal accuracies give a predictor that says so", "[predictors][unit]") {
  const auto space = tiny();
  Samples samples = make_samples(space, 20);
  std::fill(samples.top1.begin(), samples.top1.end(), 0.1);
  const FitResult result = fit(space, samples);
  CHECK(result.metrics.kendall_tau == 0.0);
  CHECK(result.metrics.spearman == 0.0);
  CHECK(result.metrics.rmse == 0.0);
  CHECK(result.predictor.predict(samples.archs).mean.isConstant(0.1));
}

TEST_CASE("Saved and restored a predictor says the same", "[predictors][contract]") {
  const auto space = tiny();
  const Samples samples = make_samples(space, 40);
  FitConfig config;
  config.model = GENERATE(learn::ModelChoice::kRidge, learn::ModelChoice::kGaussianProcess,
                          learn::ModelChoice::kKernelRidge, learn::ModelChoice::kBoostedTrees,
                          learn::ModelChoice::kEnsemble);
  const AccuracyPredictor predictor = fit(space, samples, config).predictor;
  const AccuracyPredictor restored = AccuracyPredictor::restore(
      space, kIo, predictor.kind(), predictor.layout_version(), predictor.serialise());
  const auto expected = predictor.predict(samples.archs);
  const auto got = restored.predict(samples.archs);
  CHECK(got.mean == expected.mean);
  CHECK(got.deviation == expected.deviation);
  CHECK(predictor_hash(restored) == predictor_hash(predictor));
  const auto single = predictor.predict(std::span(samples.archs).subspan(7, 1));
  CHECK(single.mean(0) == expected.mean(7));
  CHECK(predictor.predict_mean(samples.archs) == expected.mean);
}

TEST_CASE("A predictor of another space, task or layout is refused", "[predictors][error]") {
  const auto space = tiny();
  const Samples samples = make_samples(space, 20);
  const AccuracyPredictor predictor = fit(space, samples).predictor;
  const auto bytes = predictor.serialise();
  const auto ofa = test::ofa_space();
  CHECK_THROWS_WITH(
      AccuracyPredictor::restore(ofa, kIo, predictor.kind(), predictor.layout_version(), bytes),
      ContainsSubstring("was fitted on another space, task or feature layout") &&
          ContainsSubstring("than space 'ofa_mbv3' with 3 channels and 10 classes") &&
          ContainsSubstring("fit it again"));
  CHECK_THROWS_AS(AccuracyPredictor::restore(space, {1, 10}, predictor.kind(),
                                             predictor.layout_version(), bytes),
                  DataError);
  CHECK_THROWS_WITH(
      AccuracyPredictor::restore(space, kIo, "forest", predictor.layout_version(), bytes),
      ContainsSubstring("unknown kind of predictor 'forest'"));
  CHECK_THROWS_WITH(predictor.predict(std::vector{space::largest(ofa)}),
                    "arch 0 is of another space than 'tiny'");
}

TEST_CASE("Too few or wrong samples are refused", "[predictors][error]") {
  const auto space = tiny();
  Samples samples = make_samples(space, 9);
  samples.archs.push_back(samples.archs[0]);  // ten, but only nine different ones
  samples.top1.push_back(0.5);
  CHECK_THROWS_AS(fit(space, samples), StateError);
  CHECK_THROWS_WITH(fit(space, samples),
                    "an accuracy predictor needs at least 10 distinct measured subnets, got 9; "
                    "collect more");
  samples = make_samples(space, 20);
  samples.top1[4] = 1.5;
  CHECK_THROWS_WITH(fit(space, samples), "top-1 of sample 4 must be a fraction in [0, 1], got 1.5");
  samples.top1[4] = std::nan("");
  CHECK_THROWS_AS(fit(space, samples), std::invalid_argument);
  samples.top1.pop_back();
  CHECK_THROWS_WITH(fit(space, samples), "20 archs but 19 accuracies");
}

TEST_CASE("The fewest samples with the widest configuration still fit", "[predictors][unit]") {
  const auto space = tiny();
  FitConfig config;
  config.held_out_ratio = GENERATE(0.05, 0.5);
  config.folds = GENERATE(2, 20);
  const FitResult result = fit(space, make_samples(space, 10), config);
  CHECK(result.metrics.num_held_out == (config.held_out_ratio < 0.1 ? 2 : 5));
}

TEST_CASE("The fit section is read strictly", "[predictors][error]") {
  const auto read = [](const std::string& yaml) {
    return core::read_config<FitConfig>(core::parse_yaml(yaml, "job.yaml"));
  };
  const FitConfig config = read("{model: ridge, held_out_ratio: 0.25, folds: 3}");
  CHECK(config.model == learn::ModelChoice::kRidge);
  CHECK(config.held_out_ratio == 0.25);
  CHECK(config.folds == 3);
  CHECK(read(core::write_config(config)) == config);
  CHECK(read("{}") == FitConfig{});
  CHECK_THROWS_WITH(read("{model: forest}"), ContainsSubstring("job.yaml:1:") &&
                                                 ContainsSubstring("forest") &&
                                                 ContainsSubstring("gaussian_process"));
  CHECK_THROWS_AS(read("{held_out_ratio: 0.9}"), ConfigError);
  CHECK(read("{prior: other.db}").prior == "other.db");
  CHECK(read("{predictor: released.pth}").predictor == "released.pth");
  CHECK_THROWS_WITH(read("{prior: a.pth, predictor: b.pth}"),
                    ContainsSubstring("predictor: excludes 'prior': it is taken as it is"));
  CHECK_THROWS_AS(read("{folds: 1}"), ConfigError);
  CHECK_THROWS_AS(read("{fold: 5}"), ConfigError);
}

TEST_CASE("A stored predictor is found again with its figures", "[predictors][unit]") {
  const auto space = tiny();
  test::Project project(space, kIo);
  const std::int64_t run = project.add_stage_run("fit");
  const auto arch_id_of = [&](SQLite::Database& sql, const space::Arch& arch) {
    return project.arch_id(sql, arch);
  };
  CHECK_THROWS_WITH(get_predictor(project.db, run, space, kIo),
                    ContainsSubstring("project.db: no accuracy predictor was fitted yet; run the "
                                      "fit stage first"));
  CHECK_FALSE(get_fit_metrics(project.db, run));

  const Samples samples = make_samples(space, 40);
  put_predictor(project.db, run, project.space_id, fit(space, samples, {}, 9), arch_id_of);
  const FitResult result = fit(space, samples);
  put_predictor(project.db, run, project.space_id, result, arch_id_of);  // replaces the first
  CHECK(project.count("predictor") == 1);
  CHECK(project.count("predictor_check") == 8);

  const AccuracyPredictor stored = get_predictor(project.db, run, space, kIo);
  CHECK(predictor_hash(stored) == predictor_hash(result.predictor));
  CHECK(stored.predict(samples.archs).mean == result.predictor.predict(samples.archs).mean);
  const auto metrics = get_fit_metrics(project.db, run);
  REQUIRE(metrics);
  CHECK(metrics->num_train == 32);
  CHECK(metrics->num_held_out == 8);
  CHECK(metrics->kendall_tau == result.metrics.kendall_tau);
  CHECK(metrics->spearman == result.metrics.spearman);
  CHECK(metrics->rmse == result.metrics.rmse);
  CHECK(metrics->mae == result.metrics.mae);
  CHECK_THROWS_AS(get_predictor(project.db, run, test::ofa_space(), kIo), DataError);

  const HeldOutPair& pair = result.held_out.front();
  project.db.write([&](SQLite::Database& sql) {
    SQLite::Statement query(
        sql, "SELECT predicted_top1, measured_top1 FROM predictor_check WHERE arch_id = ?");
    query.bind(1, project.arch_id(sql, pair.arch));
    REQUIRE(query.executeStep());
    CHECK(query.getColumn(0).getDouble() == pair.predicted_top1);
    CHECK(query.getColumn(1).getDouble() == pair.measured_top1);
  });
}

TEST_CASE("Measured ImageNet accuracies of Once-for-All subnets are ranked",
          "[predictors][parity]") {
  OMNIFIT_REQUIRE_DATA("accuracy/ofa_mbv3_w1.0_imagenet_top1.csv")
  const auto space = test::ofa_space();
  const space::TaskIo io{3, 1000};
  auto table = test::read_accuracy_table(space, std::filesystem::path(OMNIFIT_SHARED_DATA) /
                                                    "accuracy/ofa_mbv3_w1.0_imagenet_top1.csv");
  REQUIRE(table.archs.size() == 1423);
  // Every eighth row: about 160 distinct subnets, as many as a job collects.
  std::vector<space::Arch> archs;
  std::vector<double> top1;
  for (std::size_t i = 0; i < table.archs.size(); i += 8) {
    archs.push_back(table.archs[i]);
    top1.push_back(table.top1[i]);
  }
  const FitResult result = AccuracyPredictor::fit(space, io, archs, top1, {}, 1);
  CHECK(result.metrics.kendall_tau > 0.92);
  CHECK(result.metrics.rmse < 0.002);
  // And on the rest of the table.
  const auto predicted = result.predictor.predict(table.archs);
  CHECK(learn::kendall_tau({predicted.mean.data(), table.archs.size()}, table.top1) > 0.945);
}

}  // namespace omnifit::predictors
