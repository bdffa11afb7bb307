#include "core/rng.hpp"
#include "core/threads.hpp"
#include "learn/mlp_inference.hpp"
#include "predictors/reference_predictor.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <vector>

/// How many archs a second a predictor of the released size (128 → 400 → 400 → 400 → 1) scores,
/// from the archs to their accuracies, beside the machine's own rate of multiply-adds in a large
/// float32 matrix product with as many threads. With random weights half of the activations are
/// zero; of the released weights, where the file is there, more. Multiply-adds that are skipped
/// for it are counted as if they were done.
namespace omnifit {
namespace {

constexpr int kArchs = 28'000;
constexpr Eigen::Index kSide = 1024;  // of the matrices

/// Weights do not matter to speed, as long as they keep the activations in a normal range.
predictors::ReferencePredictor random_predictor(const space::SearchSpace& space) {
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest, {0});
  const std::vector<int> widths{128, 400, 400, 400, 1};
  std::vector<learn::DenseLayer> layers;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    learn::DenseLayer layer{Eigen::MatrixXf(widths[i + 1], widths[i]),
                            Eigen::VectorXf::Zero(widths[i + 1])};
    const double scale = std::sqrt(2.0 / widths[i]);
    for (float& value : layer.weight.reshaped()) value = static_cast<float>(rng.normal() * scale);
    layers.push_back(std::move(layer));
  }
  return predictors::ReferencePredictor::from_layers(std::move(layers), space);
}

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void score_archs(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const space::SearchSpace space = test::ofa_mbv3(1.2, {160, 176, 192, 208, 224});
  const std::filesystem::path file =
      std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released" / "acc_predictor.pth";
  const bool released = state.range(1) != 0;
  if (released && !std::filesystem::exists(file)) {
    state.SkipWithError("the released weights are not there");
    return;
  }
  const auto predictor =
      released ? predictors::ReferencePredictor::load(file, space) : random_predictor(space);
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest, {1});
  std::vector<space::Arch> archs;
  for (int i = 0; i < kArchs; ++i) archs.push_back(space::sample(space, rng));
  std::vector<double> top1(archs.size());

  Eigen::setNbThreads(1);
  const Eigen::MatrixXf a = Eigen::MatrixXf::Random(kSide, kSide);
  std::vector<Eigen::MatrixXf> products(static_cast<std::size_t>(threads), a);

  // Turn by turn, so that other load on the machine meets both.
  double predictor_s = 0.0;
  double product_s = 0.0;
  for (auto _ : state) {
    predictor_s += seconds([&] { predictor.predict(archs, top1, threads); });
    product_s += seconds([&] {
      core::parallel_for(threads, threads, [&](std::int64_t i) {
        products[static_cast<std::size_t>(i)].noalias() = a * a;
      });
    });
    benchmark::DoNotOptimize(top1.data());
    benchmark::DoNotOptimize(products.data());
  }
  const auto iterations = static_cast<double>(state.iterations());
  const double archs_per_s = iterations * kArchs / predictor_s;
  const double macs_per_s =
      iterations * threads * std::pow(static_cast<double>(kSide), 3.0) / product_s;
  const double macs_per_arch = static_cast<double>(predictor.dense_macs());
  state.counters["archs_per_second"] = archs_per_s;
  state.counters["matrix_product_GFLOPs"] = 2e-9 * macs_per_s;
  state.counters["predictor_GFLOPs"] = 2e-9 * archs_per_s * macs_per_arch;
  state.counters["share_of_matrix_product"] = archs_per_s * macs_per_arch / macs_per_s;
}

BENCHMARK(score_archs)
    ->ArgNames({"threads", "released"})
    ->ArgsProduct({{1, 2}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace omnifit

BENCHMARK_MAIN();
