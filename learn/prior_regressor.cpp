#include "learn/prior_regressor.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"
#include "learn/regressors.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

namespace omnifit::learn {
namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::string_view kTag = "prior";
constexpr int kFolds = 5;

}  // namespace

PriorRegressor::PriorRegressor(std::unique_ptr<Regressor> model, std::optional<Use> only)
    : model_(std::move(model)), only_(only) {
  OMNIFIT_CHECK(model_ != nullptr && !model_->kind().ends_with(kSuffix),
                "a prior needs a model that has none itself");
}

std::string PriorRegressor::kind() const { return model_->kind() + std::string(kSuffix); }

void PriorRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples(kind(), x, y, 1);
  if (x.cols() < 1) {
    throw std::invalid_argument(kind() + ": the prior must be a column of the inputs");
  }
  Use best = only_.value_or(Use::kLine);
  if (!only_ && x.rows() >= kMinChoiceSamples && x.cols() > 1) {
    double least = squared_error(Use::kLine, x, y);
    for (const Use use : {Use::kInput, Use::kNone}) {
      const double error = squared_error(use, x, y);
      if (error < least) {
        least = error;
        best = use;
      }
    }
  }
  fit_as(best, x, y);
}

/// Cross-validated. Every kFolds-th sample is of one fold: nothing random, so that a fit depends on
/// its samples alone.
double PriorRegressor::squared_error(Use use, const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  double error = 0.0;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<Eigen::Index> inside;
    std::vector<Eigen::Index> outside;
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      (i % kFolds == fold ? inside : outside).push_back(i);
    }
    fit_as(use, x(outside, Eigen::all), y(outside));
    error += (predict_mean(x(inside, Eigen::all)) - y(inside)).squaredNorm();
  }
  return error;
}

void PriorRegressor::fit_as(Use use, const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  use_ = use;
  scale_ = 0.0;
  offset_ = 0.0;
  if (use != Use::kLine) {
    model_->fit(seen(x), y);
    return;
  }
  const Eigen::VectorXd prior = x.rightCols<1>();
  const double prior_mean = detail::mean(prior);
  const double y_mean = detail::mean(y);
  const Eigen::VectorXd centred = prior.array() - prior_mean;
  const double spread = centred.squaredNorm();
  scale_ = spread > 0.0 ? centred.dot((y.array() - y_mean).matrix()) / spread : 0.0;
  offset_ = y_mean - scale_ * prior_mean;
  Eigen::VectorXd line = Eigen::VectorXd::Zero(y.size());
  add_line(x, line);
  model_->fit(x, y - line);
}

Eigen::MatrixXd PriorRegressor::seen(const Eigen::MatrixXd& x) const {
  Eigen::MatrixXd inputs = x;
  // A constant column says nothing to any model, and keeps the groups of the columns as they are.
  if (use_ == Use::kNone && x.cols() > 0) inputs.rightCols<1>().setZero();
  return inputs;
}

void PriorRegressor::add_line(const Eigen::MatrixXd& x, Eigen::VectorXd& mean) const {
  // Element by element: vectorised, the last bits would depend on the place in the batch.
  if (use_ != Use::kLine) return;
  const Eigen::Index last = x.cols() - 1;
  for (Eigen::Index i = 0; i < mean.size(); ++i) mean(i) += scale_ * x(i, last) + offset_;
}

Prediction PriorRegressor::predict(const Eigen::MatrixXd& x) const {
  Prediction prediction = model_->predict(seen(x));
  add_line(x, prediction.mean);
  return prediction;
}

Eigen::VectorXd PriorRegressor::predict_mean(const Eigen::MatrixXd& x) const {
  Eigen::VectorXd mean = model_->predict_mean(seen(x));
  add_line(x, mean);
  return mean;
}

std::vector<std::byte> PriorRegressor::save() const {
  detail::ByteWriter out(kTag, kVersion);
  out.text(model_->kind());
  out.bytes(model_->save());
  out.integer(static_cast<std::uint64_t>(use_));
  out.real(scale_);
  out.real(offset_);
  return out.take();
}

PriorRegressor PriorRegressor::restore(std::span<const std::byte> bytes) {
  detail::ByteReader in(bytes, kTag, kVersion);
  const std::string kind = in.text();
  const std::vector<std::byte> saved = in.bytes();
  const std::uint64_t use = in.integer();
  const double scale = in.real();
  const double offset = in.real();
  in.finish();
  // Bytes within bytes could otherwise recurse without end.
  if (kind.ends_with(kSuffix) || kind == "ensemble") {
    in.fail("its model is none that a prior can have");
  }
  if (use > static_cast<std::uint64_t>(Use::kNone)) in.fail("it uses the prior in an unknown way");
  PriorRegressor model(restore_regressor(kind, saved));
  model.use_ = static_cast<Use>(use);
  model.scale_ = scale;
  model.offset_ = offset;
  return model;
}

}  // namespace omnifit::learn
