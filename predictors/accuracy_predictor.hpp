#pragma once

#include "core/fields.hpp"
#include "learn/model_selection.hpp"
#include "predictors/features.hpp"
#include "predictors/prior.hpp"
#include "predictors/reference_predictor.hpp"
#include "space/arch.hpp"
#include "space/plan.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace omnifit::predictors {

/// The `fit` section of a job.
struct FitConfig {
  learn::ModelChoice model = learn::ModelChoice::kAuto;
  double held_out_ratio = 0.2;  ///< share of the samples the figures are taken on, in [0.05, 0.5]
  int folds = 5;                ///< of the cross-validation that chooses the model, in [2, 20]
  std::string prior;            ///< file of a predictor to correct (Prior); empty: none
  std::string predictor;        ///< file of a released predictor to take instead of fitting one
  void fields(core::Fields& f);
  friend bool operator==(const FitConfig&, const FitConfig&) = default;
};

struct FitResult;

/// Predicts the top-1 accuracy of a subnet (a fraction) from its arch: a regression model over
/// features of the arch and of its plan, which may correct a prior, or a predictor that was trained
/// elsewhere. Immutable; `predict` is thread-safe.
class AccuracyPredictor {
 public:
  /// Fewest distinct subnets a fit accepts.
  static constexpr int kMinSamples = 10;

  /// Fits and judges a predictor.
  ///
  /// A random share of the samples is held out; `model: auto` takes the model, or the average of
  /// several, with the best cross-validated Kendall tau on the others, and the average where they
  /// are fewer than learn::kMinChoiceSamples. The figures and pairs
  /// returned are those of the model that never saw the held-out subnets; the predictor returned is
  /// then fitted on all samples. Samples of equal archs are merged (mean), so that no subnet is on
  /// both sides. The result depends on the samples, the configuration and the seed, not on the
  /// order of the samples or on `threads`.
  /// @throws StateError if there are fewer than kMinSamples distinct archs; std::invalid_argument
  /// if the spans differ in length, an arch is of another space or a value is outside [0, 1].
  static FitResult fit(const space::SearchSpace& space, const space::TaskIo& io,
                       std::span<const space::Arch> archs, std::span<const double> top1,
                       const FitConfig& config, std::uint64_t seed, int threads = 1,
                       std::shared_ptr<const Prior> prior = nullptr);
  /// A predictor that was trained elsewhere, as it is.
  static AccuracyPredictor imported(ReferencePredictor predictor);

  /// Mean and standard deviation of top-1 (fractions), one per arch. An arch's numbers do not
  /// depend on the others of the batch.
  /// @throws std::invalid_argument if an arch is of another space.
  [[nodiscard]] learn::Prediction predict(std::span<const space::Arch> archs) const;
  /// The means alone, the same bits: what a search asks for, and faster.
  [[nodiscard]] Eigen::VectorXd predict_mean(std::span<const space::Arch> archs) const;

  /// As learn::model_choices() spells it, of a model that corrects a prior with "_on_prior" behind;
  /// ReferencePredictor::kKind of an imported one.
  [[nodiscard]] std::string kind() const;
  /// Of what this predictor was fitted on: features, space and prior.
  [[nodiscard]] std::uint64_t layout_version() const { return layout_version_; }
  /// The predictor that this one corrects; null if there is none.
  [[nodiscard]] const Prior* prior() const { return prior_.get(); }
  [[nodiscard]] bool is_imported() const { return imported_.has_value(); }

  /// The fitted weights.
  [[nodiscard]] std::vector<std::byte> serialise() const;
  /// Inverse of serialise. @param prior as Prior::serialise gave it; empty if there is none.
  /// @throws DataError if the predictor was fitted on another space, task, prior or layout of
  /// features, or if the bytes are damaged.
  static AccuracyPredictor restore(const space::SearchSpace& space, const space::TaskIo& io,
                                   const std::string& kind, std::uint64_t layout_version,
                                   std::span<const std::byte> bytes,
                                   std::span<const std::byte> prior = {});

 private:
  AccuracyPredictor(std::shared_ptr<const ArchFeatures> features,
                    std::shared_ptr<const Prior> prior,
                    std::shared_ptr<const learn::Regressor> model);
  explicit AccuracyPredictor(ReferencePredictor imported);

  std::shared_ptr<const ArchFeatures> features_;  ///< null of an imported one, as the next two
  std::shared_ptr<const Prior> prior_;            ///< may be null
  std::shared_ptr<const learn::Regressor> model_;
  std::optional<ReferencePredictor> imported_;
  std::uint64_t layout_version_ = 0;
};

/// A subnet the judged model never saw.
struct HeldOutPair {
  space::Arch arch;
  double predicted_top1 = 0.0;
  double measured_top1 = 0.0;
};

/// On the held-out subnets. Rank figures are 0 where there is no order to predict (all values
/// equal).
struct FitMetrics {
  int num_train = 0;
  int num_held_out = 0;
  double kendall_tau = 0.0;
  double spearman = 0.0;
  double rmse = 0.0;  ///< of top-1, fraction
  double mae = 0.0;   ///< of top-1, fraction
};

struct FitResult {
  AccuracyPredictor predictor;  ///< fitted on all samples
  FitMetrics metrics;           ///< of the model fitted without the held-out subnets
  std::vector<HeldOutPair> held_out;
  /// Cross-validated on the samples that were not held out, of every model that was considered:
  /// with `model: auto` and `ensemble` the single ones and their average, otherwise none.
  std::vector<learn::ModelScore> scores;
  std::vector<double> weights;  ///< of learn::single_models() in an average; empty otherwise
};

}  // namespace omnifit::predictors
