#include "learn/ensemble.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/regressors.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace omnifit::learn {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMaxMembers = 64;

/// The nearest point with elements at least 0 and sum 1.
/// Source: Held, Wolfe and Crowder, "Validation of subgradient optimization", 1974.
Eigen::VectorXd project_to_simplex(const Eigen::VectorXd& point) {
  std::vector<double> sorted(point.begin(), point.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0.0;
  double shift = 0.0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i];
    const double candidate = (sum - 1.0) / static_cast<double>(i + 1);
    if (sorted[i] > candidate) shift = candidate;
  }
  return (point.array() - shift).max(0.0);
}

}  // namespace

EnsembleRegressor::EnsembleRegressor(Members members, std::vector<double> weights)
    : members_(std::move(members)), weights_(std::move(weights)) {
  if (members_.empty()) throw std::invalid_argument("ensemble: no members");
  if (weights_.empty()) weights_.assign(members_.size(), 1.0);
  const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  const bool negative =
      std::any_of(weights_.begin(), weights_.end(), [](double w) { return !(w >= 0.0); });
  if (weights_.size() != members_.size() || negative || !(sum > 0.0) || !std::isfinite(sum)) {
    throw std::invalid_argument(
        fmt::format("ensemble: {} members need as many weights of at least 0 with a positive sum",
                    members_.size()));
  }
  for (double& weight : weights_) weight /= sum;
}

void EnsembleRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  fitted_ = false;
  for (const auto& member : members_) member->fit(x, y);
  fitted_ = true;
}

Prediction EnsembleRegressor::predict(const Eigen::MatrixXd& x) const {
  if (!fitted_) throw StateError("ensemble: predict before fit");
  std::vector<Prediction> of_members;
  for (const auto& member : members_) of_members.push_back(member->predict(x));
  Prediction prediction{Eigen::VectorXd(x.rows()), Eigen::VectorXd(x.rows())};
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    // Differences from the first member: equal members give their value exactly.
    const double first = of_members.front().mean(i);
    double mean = 0.0;
    for (std::size_t m = 0; m < of_members.size(); ++m) {
      mean += weights_[m] * (of_members[m].mean(i) - first);
    }
    double variance = 0.0;
    for (std::size_t m = 0; m < of_members.size(); ++m) {
      const double off = of_members[m].mean(i) - first - mean;
      const double own = of_members[m].deviation(i);
      variance += weights_[m] * (own * own + off * off);
    }
    prediction.mean(i) = first + mean;
    prediction.deviation(i) = std::sqrt(variance);
  }
  return prediction;
}

Eigen::VectorXd EnsembleRegressor::predict_mean(const Eigen::MatrixXd& x) const {
  if (!fitted_) throw StateError("ensemble: predict before fit");
  std::vector<Eigen::VectorXd> of_members;
  for (const auto& member : members_) of_members.push_back(member->predict_mean(x));
  Eigen::VectorXd result(x.rows());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const double first = of_members.front()(i);
    double mean = 0.0;
    for (std::size_t m = 0; m < of_members.size(); ++m) {
      mean += weights_[m] * (of_members[m](i) - first);
    }
    result(i) = first + mean;
  }
  return result;
}

std::vector<std::byte> EnsembleRegressor::save() const {
  if (!fitted_) throw StateError("ensemble: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.integer(members_.size());
  for (const auto& member : members_) {
    out.text(member->kind());
    out.bytes(member->save());
  }
  for (const double weight : weights_) out.real(weight);
  return out.take();
}

EnsembleRegressor EnsembleRegressor::restore(std::span<const std::byte> bytes) {
  detail::ByteReader in(bytes, "ensemble", kVersion);
  const std::uint64_t count = in.integer();
  if (count == 0 || count > kMaxMembers) in.fail("it has no or too many members");
  std::vector<std::pair<std::string, std::vector<std::byte>>> saved;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string kind = in.text();
    saved.emplace_back(std::move(kind), in.bytes());
  }
  std::vector<double> weights;
  for (std::uint64_t i = 0; i < count; ++i) weights.push_back(in.real());
  in.finish();
  Members members;
  for (const auto& [kind, weights_of_member] : saved) {
    // An ensemble holds none: nested bytes could otherwise recurse without end.
    if (kind == "ensemble") in.fail("a member is an ensemble itself");
    members.push_back(restore_regressor(kind, weights_of_member));
  }
  const bool proper =
      std::all_of(weights.begin(), weights.end(), [](double w) { return w >= 0.0; });
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!proper || std::abs(sum - 1.0) > 1e-9) in.fail("its weights do not add up to 1");
  EnsembleRegressor model(std::move(members), weights);
  model.weights_ = std::move(weights);  // the same bits, not scaled once more
  model.fitted_ = true;
  return model;
}

std::vector<double> stacking_weights(const Eigen::MatrixXd& predictions, const Eigen::VectorXd& y) {
  if (predictions.cols() < 1 || predictions.rows() != y.size() || y.size() < 1) {
    throw std::invalid_argument("stacking needs predictions of at least one model for every row");
  }
  // With the errors e_m of the members, a mean with weights w (sum 1) errs by E w.
  const Eigen::MatrixXd errors = predictions.colwise() - y;
  Eigen::MatrixXd gram = errors.transpose() * errors;
  const double scale = gram.trace();
  const auto count = predictions.cols();
  Eigen::VectorXd weights = Eigen::VectorXd::Constant(count, 1.0 / static_cast<double>(count));
  if (!(scale > 0.0)) return {weights.begin(), weights.end()};
  gram /= scale;
  constexpr double kRidge = 1e-3;
  gram.diagonal().array() += kRidge / static_cast<double>(count);
  // Projected gradient with the step 1 / trace, which is at most 1 / largest eigenvalue.
  const double step = 1.0 / gram.trace();
  constexpr int kMaxSteps = 5000;
  for (int i = 0; i < kMaxSteps; ++i) {
    const Eigen::VectorXd next = project_to_simplex(weights - step * (gram * weights));
    const double moved = (next - weights).cwiseAbs().maxCoeff();
    weights = next;
    if (moved < 1e-10) break;
  }
  return {weights.begin(), weights.end()};
}

}  // namespace omnifit::learn
