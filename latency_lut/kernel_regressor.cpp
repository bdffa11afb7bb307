#include "latency_lut/kernel_regressor.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "latency_lut/detail/unit_work.hpp"
#include "latency_lut/measurement.hpp"
#include "learn/gaussian_process.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace omnifit::latency {
namespace {

Eigen::MatrixXd standardised(const Eigen::MatrixXd& x, const Eigen::RowVectorXd& mean,
                             const Eigen::RowVectorXd& inverse_scale) {
  return (x.rowwise() - mean) * inverse_scale.asDiagonal();
}

Eigen::RowVectorXd inverse_scale_of(const Eigen::MatrixXd& x, const Eigen::RowVectorXd& mean) {
  const Eigen::RowVectorXd variance =
      (x.rowwise() - mean).array().square().colwise().sum() / static_cast<double>(x.rows());
  return variance.unaryExpr([](double v) { return v > 1e-20 ? 1.0 / std::sqrt(v) : 0.0; });
}

}  // namespace

const std::vector<std::string>& unit_feature_names() {
  static const std::vector<std::string> names{"is_conv",
                                              "is_mbconv",
                                              "is_pool",
                                              "is_linear",
                                              "is_bottleneck",
                                              "is_maxpool",
                                              "after_pool",
                                              "log_in_channels",
                                              "log_mid_channels",
                                              "log_out_channels",
                                              "kernel_size",
                                              "stride",
                                              "log_in_px",
                                              "h_swish",
                                              "log_se_channels",
                                              "log_macs",
                                              "log_depthwise_macs",
                                              "log_elements_moved"};
  return names;
}

Eigen::RowVectorXd unit_features(const space::LayerSpec& spec) {
  const detail::UnitShape shape = detail::unit_shape(spec);
  const detail::UnitWork work = detail::unit_work(spec);
  const space::FeatureShape in = space::input_shape(spec);
  const space::FeatureShape out = space::output_shape(spec);
  Eigen::RowVectorXd row =
      Eigen::RowVectorXd::Zero(static_cast<Eigen::Index>(unit_feature_names().size()));
  row(static_cast<Eigen::Index>(spec.index())) = 1.0;  // the kinds stand in this order
  const auto log1p = [](double value) { return std::log(value + 1.0); };
  row.tail(12) << (in.px == 1 ? 1.0 : 0.0), std::log(in.channels), log1p(shape.mid_channels),
      std::log(out.channels), shape.kernel_size, shape.stride, std::log(in.px),
      (shape.act == space::Act::kHSwish ? 1.0 : 0.0), log1p(shape.se_channels), log1p(work.macs),
      log1p(work.depthwise_macs), std::log(work.elements_moved);
  return row;
}

Eigen::MatrixXd KernelRegressor::features(std::span<const space::LayerSpec> specs) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(specs.size()),
                    static_cast<Eigen::Index>(unit_feature_names().size()));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    x.row(static_cast<Eigen::Index>(i)) = unit_features(specs[i]);
  }
  return x;
}

void KernelRegressor::fit_process(const Eigen::MatrixXd& x, const Eigen::VectorXd& log_ms) {
  scaling_.mean = x.colwise().mean();
  scaling_.inverse_scale = inverse_scale_of(x, scaling_.mean);
  auto process = std::make_shared<learn::GaussianProcessRegressor>();
  process->fit(standardised(x, scaling_.mean, scaling_.inverse_scale), log_ms);
  process_ = std::move(process);
}

learn::Prediction KernelRegressor::predict_log(std::span<const space::LayerSpec> specs) const {
  return process_->predict(standardised(features(specs), scaling_.mean, scaling_.inverse_scale));
}

KernelRegressor KernelRegressor::fit(std::span<const UnitTime> times) {
  if (times.size() < kMinUnits) {
    throw std::invalid_argument(
        fmt::format("a kernel regressor needs at least {} units, got {}", kMinUnits, times.size()));
  }
  std::vector<space::LayerSpec> specs;
  Eigen::VectorXd log_ms(static_cast<Eigen::Index>(times.size()));
  for (const UnitTime& time : times) {
    if (!std::isfinite(time.time_ms) || time.time_ms <= 0.0) {
      throw std::invalid_argument(fmt::format("latency of {} must be positive, got {} ms",
                                              space::spec_text(time.spec), time.time_ms));
    }
    log_ms(static_cast<Eigen::Index>(specs.size())) = std::log(time.time_ms);
    specs.push_back(time.spec);
  }
  // Every fifth unit of a random order judges a process that has not seen it.
  constexpr std::size_t kJudged = 5;
  std::vector<std::size_t> order(times.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  core::Rng rng = core::Rng::stream(times.size(), core::Purpose::kFit);
  rng.shuffle(std::span(order));
  std::vector<Eigen::Index> fitted;
  std::vector<Eigen::Index> judged;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (i % kJudged == 0 ? judged : fitted).push_back(static_cast<Eigen::Index>(order[i]));
  }
  const Eigen::MatrixXd x = features(specs);
  KernelRegressor regressor;
  regressor.fit_process(x(fitted, Eigen::all), log_ms(fitted));
  std::vector<space::LayerSpec> judged_specs;
  judged_specs.reserve(judged.size());
  for (const Eigen::Index i : judged) judged_specs.push_back(specs[static_cast<std::size_t>(i)]);
  const learn::Prediction prediction = regressor.predict_log(judged_specs);
  std::vector<double> errors;
  std::vector<double> own;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    const auto at = static_cast<Eigen::Index>(i);
    errors.push_back(std::abs(prediction.mean(at) - log_ms(judged[i])));
    own.push_back(prediction.deviation(at));
  }
  std::sort(errors.begin(), errors.end());
  std::sort(own.begin(), own.end());
  // The median of |error| of a normal variable is 0.6745 of its deviation.
  const double total = quantile(errors, 0.5) / 0.6745;
  const double known = quantile(own, 0.5);
  regressor.noise_ = std::sqrt(std::max(0.0, total * total - known * known));
  regressor.fit_process(x, log_ms);
  return regressor;
}

std::vector<LatencyEstimate> KernelRegressor::predict(
    std::span<const space::LayerSpec> specs) const {
  if (specs.empty()) return {};
  const learn::Prediction prediction = predict_log(specs);
  std::vector<LatencyEstimate> estimates;
  for (Eigen::Index i = 0; i < prediction.mean.size(); ++i) {
    const double time_ms = std::exp(prediction.mean(i));
    estimates.push_back({time_ms, time_ms * std::hypot(prediction.deviation(i), noise_)});
  }
  return estimates;
}

LatencyEstimate KernelRegressor::predict(const space::LayerSpec& spec) const {
  return predict(std::span(&spec, 1)).front();
}

std::vector<std::size_t> choose_units(std::span<const space::LayerSpec> units, std::size_t count) {
  std::vector<std::size_t> chosen;
  if (units.empty() || count == 0) return chosen;
  if (count >= units.size()) {
    chosen.resize(units.size());
    std::iota(chosen.begin(), chosen.end(), std::size_t{0});
    return chosen;
  }
  Eigen::MatrixXd x(static_cast<Eigen::Index>(units.size()),
                    static_cast<Eigen::Index>(unit_feature_names().size()));
  for (std::size_t i = 0; i < units.size(); ++i) {
    x.row(static_cast<Eigen::Index>(i)) = unit_features(units[i]);
  }
  const Eigen::RowVectorXd mean = x.colwise().mean();
  x = standardised(x, mean, inverse_scale_of(x, mean));
  Eigen::Index next = 0;
  x.rowwise().squaredNorm().minCoeff(&next);
  Eigen::VectorXd distance =
      Eigen::VectorXd::Constant(x.rows(), std::numeric_limits<double>::infinity());
  while (chosen.size() < count) {
    chosen.push_back(static_cast<std::size_t>(next));
    distance = distance.cwiseMin((x.rowwise() - x.row(next)).rowwise().squaredNorm());
    distance(next) = -1.0;
    distance.maxCoeff(&next);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace omnifit::latency
