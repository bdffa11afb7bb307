#include "learn/prior_regressor.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"
#include "learn/regressors.hpp"

#include <stdexcept>
#include <utility>

namespace omnifit::learn {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kTag = "prior";

}  // namespace

PriorRegressor::PriorRegressor(std::unique_ptr<Regressor> model) : model_(std::move(model)) {
  OMNIFIT_CHECK(model_ != nullptr && !model_->kind().ends_with(kSuffix),
                "a prior needs a model that has none itself");
}

std::string PriorRegressor::kind() const { return model_->kind() + std::string(kSuffix); }

void PriorRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples(kind(), x, y, 1);
  if (x.cols() < 1) {
    throw std::invalid_argument(kind() + ": the prior must be a column of the inputs");
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

void PriorRegressor::add_line(const Eigen::MatrixXd& x, Eigen::VectorXd& mean) const {
  // Element by element: vectorised, the last bits would depend on the place in the batch.
  const Eigen::Index last = x.cols() - 1;
  for (Eigen::Index i = 0; i < mean.size(); ++i) mean(i) += scale_ * x(i, last) + offset_;
}

Prediction PriorRegressor::predict(const Eigen::MatrixXd& x) const {
  Prediction prediction = model_->predict(x);
  add_line(x, prediction.mean);
  return prediction;
}

Eigen::VectorXd PriorRegressor::predict_mean(const Eigen::MatrixXd& x) const {
  Eigen::VectorXd mean = model_->predict_mean(x);
  add_line(x, mean);
  return mean;
}

std::vector<std::byte> PriorRegressor::save() const {
  detail::ByteWriter out(kTag, kVersion);
  out.text(model_->kind());
  out.bytes(model_->save());
  out.real(scale_);
  out.real(offset_);
  return out.take();
}

PriorRegressor PriorRegressor::restore(std::span<const std::byte> bytes) {
  detail::ByteReader in(bytes, kTag, kVersion);
  const std::string kind = in.text();
  const std::vector<std::byte> saved = in.bytes();
  const double scale = in.real();
  const double offset = in.real();
  in.finish();
  // Bytes within bytes could otherwise recurse without end.
  if (kind.ends_with(kSuffix) || kind == "ensemble") {
    in.fail("its model is none that a prior can have");
  }
  PriorRegressor model(restore_regressor(kind, saved));
  model.scale_ = scale;
  model.offset_ = offset;
  return model;
}

}  // namespace omnifit::learn
