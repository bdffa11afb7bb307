#include "predictors/accuracy_predictor.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/rng.hpp"
#include "learn/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <stdexcept>

namespace omnifit::predictors {
namespace {

/// Index of the stream under Purpose::kFit; others belong to learn/.
constexpr std::uint64_t kHeldOut = 0;

/// Distinct archs in ascending order with their mean accuracy.
struct Samples {
  std::vector<space::Arch> archs;
  Eigen::VectorXd top1;
};

Samples merge(std::span<const space::Arch> archs, std::span<const double> top1) {
  if (archs.size() != top1.size()) {
    throw std::invalid_argument(
        fmt::format("{} archs but {} accuracies", archs.size(), top1.size()));
  }
  std::map<space::Arch, std::vector<double>> by_arch;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    if (!(top1[i] >= 0.0 && top1[i] <= 1.0)) {
      throw std::invalid_argument(
          fmt::format("top-1 of sample {} must be a fraction in [0, 1], got {}", i, top1[i]));
    }
    by_arch[archs[i]].push_back(top1[i]);
  }
  Samples samples;
  samples.top1.resize(static_cast<Eigen::Index>(by_arch.size()));
  for (auto& [arch, values] : by_arch) {
    std::sort(values.begin(), values.end());  // the mean must not depend on the order given
    samples.top1(static_cast<Eigen::Index>(samples.archs.size())) =
        std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    samples.archs.push_back(arch);
  }
  return samples;
}

/// Random split of the sample indices, each side ascending.
struct Split {
  std::vector<Eigen::Index> train;
  std::vector<Eigen::Index> held_out;
};

Split split(std::size_t count, double held_out_ratio, core::Rng rng) {
  std::vector<Eigen::Index> order(count);
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  rng.shuffle(std::span(order));
  const auto num_held_out =
      std::max<std::ptrdiff_t>(2, std::llround(held_out_ratio * static_cast<double>(count)));
  Split result;
  result.held_out.assign(order.begin(), order.begin() + num_held_out);
  result.train.assign(order.begin() + num_held_out, order.end());
  std::sort(result.held_out.begin(), result.held_out.end());
  std::sort(result.train.begin(), result.train.end());
  return result;
}

std::span<const double> as_span(const Eigen::VectorXd& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

double zero_if_undefined(double value) { return std::isnan(value) ? 0.0 : value; }

FitMetrics judge(const Eigen::VectorXd& predicted, const Eigen::VectorXd& measured,
                 std::size_t num_train) {
  FitMetrics metrics;
  metrics.num_train = static_cast<int>(num_train);
  metrics.num_held_out = static_cast<int>(measured.size());
  const auto p = as_span(predicted);
  const auto m = as_span(measured);
  metrics.kendall_tau = zero_if_undefined(learn::kendall_tau(p, m));
  metrics.spearman = zero_if_undefined(learn::spearman(p, m));
  metrics.rmse = learn::rmse(p, m);
  metrics.mae = learn::mae(p, m);
  return metrics;
}

/// Features of the archs and, as the last column, what the prior says of them.
Eigen::MatrixXd encode(const ArchFeatures& features, const Prior* prior,
                       std::span<const space::Arch> archs) {
  Eigen::MatrixXd x = features.encode(archs);
  if (prior == nullptr) return x;
  x.conservativeResize(Eigen::NoChange, x.cols() + 1);
  x.rightCols<1>() = prior->predict(archs);
  return x;
}

/// What models may know of these columns; the prior's stands for itself.
learn::RegressorOptions options_of(const ArchFeatures& features, const Prior* prior,
                                   std::uint64_t seed, int threads) {
  learn::RegressorOptions options{features.column_groups(), seed, prior != nullptr, threads};
  if (prior != nullptr) {
    const std::vector<int>& groups = features.column_groups();
    options.column_groups.push_back(groups.empty() ? 0 : *std::ranges::max_element(groups) + 1);
  }
  return options;
}

std::uint64_t layout_of(const ArchFeatures& features, const Prior* prior) {
  if (prior == nullptr) return features.layout_version();
  return core::stable_hash(fmt::format("{} on prior {}", core::hex64(features.layout_version()),
                                       core::hex64(prior->hash())));
}

}  // namespace

void FitConfig::fields(core::Fields& f) {
  f.choice("model", model, learn::model_choices(),
           "auto takes the one with the best cross-validated Kendall tau, and from few subnets the "
           "average of all (ensemble)");
  f.real("held_out_ratio", held_out_ratio, {0.05, 0.5},
         "share of the measured subnets the predictor is judged on");
  f.integer("folds", folds, {2, 20}, "of the cross-validation that chooses the model");
  f.text("prior", prior,
         "file of a predictor of a sibling that the model corrects: a released one (.pth) or the "
         "project file of another job; relative to this file, empty: none");
  f.text("predictor", predictor,
         "file of a released predictor (.pth) to take instead of fitting one; nothing is collected "
         "then; relative to this file, empty: none");
  if (!prior.empty() && !predictor.empty()) {
    f.error("predictor", "excludes 'prior': it is taken as it is");
  }
}

AccuracyPredictor::AccuracyPredictor(std::shared_ptr<const ArchFeatures> features,
                                     std::shared_ptr<const Prior> prior,
                                     std::shared_ptr<const learn::Regressor> model)
    : features_(std::move(features)),
      prior_(std::move(prior)),
      model_(std::move(model)),
      layout_version_(layout_of(*features_, prior_.get())) {}

AccuracyPredictor::AccuracyPredictor(ReferencePredictor imported)
    : imported_(std::move(imported)), layout_version_(imported_->layout_version()) {}

AccuracyPredictor AccuracyPredictor::imported(ReferencePredictor predictor) {
  return AccuracyPredictor(std::move(predictor));
}

FitResult AccuracyPredictor::fit(const space::SearchSpace& space, const space::TaskIo& io,
                                 std::span<const space::Arch> archs, std::span<const double> top1,
                                 const FitConfig& config, std::uint64_t seed, int threads,
                                 std::shared_ptr<const Prior> prior) {
  const Samples samples = merge(archs, top1);
  if (samples.archs.size() < static_cast<std::size_t>(kMinSamples)) {
    throw StateError(
        fmt::format("an accuracy predictor needs at least {} distinct measured subnets, got {}; "
                    "collect more",
                    kMinSamples, samples.archs.size()));
  }
  const auto features = std::make_shared<const ArchFeatures>(space, io);
  const Eigen::MatrixXd x = encode(*features, prior.get(), samples.archs);
  const Split parts = split(samples.archs.size(), config.held_out_ratio,
                            core::Rng::stream(seed, core::Purpose::kFit, {kHeldOut}));
  const Eigen::MatrixXd train_x = x(parts.train, Eigen::all);
  const Eigen::VectorXd train_y = samples.top1(parts.train);
  const learn::RegressorOptions options = options_of(*features, prior.get(), seed, threads);
  const int folds = std::min(config.folds, static_cast<int>(train_x.rows()));
  learn::Selection chosen =
      learn::select_model(config.model, options, train_x, train_y, folds, seed, threads);

  const std::unique_ptr<learn::Regressor> judged = chosen.make(options);
  judged->fit(train_x, train_y);
  const Eigen::VectorXd predicted = judged->predict_mean(x(parts.held_out, Eigen::all));
  const Eigen::VectorXd measured = samples.top1(parts.held_out);
  std::vector<HeldOutPair> held_out;
  for (std::size_t i = 0; i < parts.held_out.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    held_out.push_back({samples.archs[static_cast<std::size_t>(parts.held_out[i])], predicted(row),
                        measured(row)});
  }

  std::unique_ptr<learn::Regressor> final_model = chosen.make(options);
  final_model->fit(x, samples.top1);
  return {AccuracyPredictor(features, std::move(prior), std::move(final_model)),
          judge(predicted, measured, parts.train.size()), std::move(held_out),
          std::move(chosen.scores), std::move(chosen.weights)};
}

learn::Prediction AccuracyPredictor::predict(std::span<const space::Arch> archs) const {
  if (!imported_) return model_->predict(encode(*features_, prior_.get(), archs));
  return {predict_mean(archs), Eigen::VectorXd::Zero(static_cast<Eigen::Index>(archs.size()))};
}

Eigen::VectorXd AccuracyPredictor::predict_mean(std::span<const space::Arch> archs) const {
  if (!imported_) return model_->predict_mean(encode(*features_, prior_.get(), archs));
  Eigen::VectorXd mean(static_cast<Eigen::Index>(archs.size()));
  imported_->predict(archs, {mean.data(), archs.size()});
  return mean;
}

std::string AccuracyPredictor::kind() const {
  return imported_ ? std::string(ReferencePredictor::kKind) : model_->kind();
}

std::vector<std::byte> AccuracyPredictor::serialise() const {
  return imported_ ? imported_->serialise() : model_->save();
}

AccuracyPredictor AccuracyPredictor::restore(const space::SearchSpace& space,
                                             const space::TaskIo& io, const std::string& kind,
                                             std::uint64_t layout_version,
                                             std::span<const std::byte> bytes,
                                             std::span<const std::byte> prior) {
  std::optional<AccuracyPredictor> restored;
  if (kind == ReferencePredictor::kKind) {
    restored = AccuracyPredictor(ReferencePredictor::restore(bytes, space));
  } else {
    std::shared_ptr<const Prior> restored_prior;
    if (!prior.empty())
      restored_prior = std::make_shared<const Prior>(Prior::restore(prior, space));
    restored = AccuracyPredictor(std::make_shared<const ArchFeatures>(space, io),
                                 std::move(restored_prior), learn::restore_regressor(kind, bytes));
  }
  if (layout_version == restored->layout_version()) return std::move(*restored);
  throw DataError(fmt::format(
      "the accuracy predictor was fitted on another space, task or feature layout (layout {}) "
      "than space '{}' with {} channels and {} classes (layout {}); fit it again",
      core::hex64(layout_version), space.name(), io.in_channels, io.num_classes,
      core::hex64(restored->layout_version())));
}

}  // namespace omnifit::predictors
