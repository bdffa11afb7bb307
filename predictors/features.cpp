#include "predictors/features.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/costs.hpp"
#include "space/encoding.hpp"
#include "space/lower.hpp"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace omnifit::predictors {
namespace {

constexpr space::Encoding kEncoding = space::Encoding::kOneHot;

/// Names and scale of the plan's figures, in column order; part of the layout version.
constexpr const char* kPlanFigures = "log_macs,log_params x 2 sqrt(genes)";
constexpr int kNumPlanFigures = 2;

Eigen::RowVector2d plan_figures(const space::SearchSpace& space, const space::TaskIo& io,
                                const space::Arch& arch) {
  const space::NetworkPlan plan = space::lower(space, arch, io);
  return {std::log(static_cast<double>(space::macs(plan))),
          std::log(static_cast<double>(space::params_count(plan)))};
}

/// Brings the plan's figures to [0, weight] over the space. Two random archs differ in a share of
/// their genes, so their one-hot distance grows with the root of the number of genes; the figures
/// must grow along to be heard. Models that standardise columns themselves do not see the weight.
struct FigureScale {
  Eigen::RowVector2d low;
  Eigen::RowVector2d factor;

  FigureScale(const space::SearchSpace& space, const space::TaskIo& io)
      : low(plan_figures(space, io, space::smallest(space))) {
    const Eigen::RowVector2d range = plan_figures(space, io, space::largest(space)) - low;
    const double weight = 2.0 * std::sqrt(static_cast<double>(space.genes().size()));
    for (Eigen::Index j = 0; j < kNumPlanFigures; ++j) {
      factor(j) = range(j) > 0.0 ? weight / range(j) : 0.0;
    }
  }
};

}  // namespace

Eigen::MatrixXd arch_features(const space::SearchSpace& space, const space::TaskIo& io,
                              std::span<const space::Arch> archs) {
  const int encoded = space::num_columns(space, kEncoding);
  const FigureScale scale(space, io);
  Eigen::MatrixXd features(static_cast<Eigen::Index>(archs.size()), encoded + kNumPlanFigures);
  std::vector<double> row(static_cast<std::size_t>(encoded));
  for (std::size_t i = 0; i < archs.size(); ++i) {
    if (archs[i].space_fingerprint() != space.fingerprint()) {
      throw std::invalid_argument(
          fmt::format("arch {} is of another space than '{}'", i, space.name()));
    }
    const auto r = static_cast<Eigen::Index>(i);
    space::encode(space, archs[i], kEncoding, row);
    features.row(r).head(encoded) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), encoded);
    features.row(r).tail<kNumPlanFigures>() =
        (plan_figures(space, io, archs[i]) - scale.low).cwiseProduct(scale.factor);
  }
  return features;
}

std::uint64_t feature_layout_version(const space::SearchSpace& space, const space::TaskIo& io) {
  return core::stable_hash(fmt::format("{} {} in={} classes={}",
                                       core::hex64(space::layout_version(space, kEncoding)),
                                       kPlanFigures, io.in_channels, io.num_classes));
}

}  // namespace omnifit::predictors
