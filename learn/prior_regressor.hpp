#pragma once

#include "learn/regressor.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::learn {

/// Uses what another predictor says of the samples as far as it helps.
///
/// The last column of x is that other predictor's opinion, the prior. Three ways to use it are
/// compared by cross-validation, and the one with the smallest squared error is taken: as a line
/// that the model corrects, y = scale · prior + offset + model(x); as one more input of the model;
/// or not at all. The line is fitted by least squares; a prior that is the same for all samples has
/// scale 0. With fewer than kMinChoiceSamples samples the line is taken. The deviation is the
/// model's.
class PriorRegressor final : public Regressor {
 public:
  /// Ends the kind of a model on a prior: "ridge_on_prior".
  static constexpr std::string_view kSuffix = "_on_prior";

  static constexpr int kMinChoiceSamples = 10;
  enum class Use : std::uint8_t { kLine, kInput, kNone };

  /// @param model not fitted, and no PriorRegressor itself
  /// @param only the way to use the prior; empty: the best of the three
  explicit PriorRegressor(std::unique_ptr<Regressor> model, std::optional<Use> only = {});

  /// @throws std::invalid_argument as the model does, and if x has no column.
  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] Eigen::VectorXd predict_mean(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override;
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static PriorRegressor restore(std::span<const std::byte> bytes);

  [[nodiscard]] Use use() const { return use_; }
  /// Of the line; 0 where it is not taken.
  [[nodiscard]] double scale() const { return scale_; }
  [[nodiscard]] double offset() const { return offset_; }

 private:
  /// What the model is given of the inputs.
  [[nodiscard]] Eigen::MatrixXd seen(const Eigen::MatrixXd& x) const;
  void fit_as(Use use, const Eigen::MatrixXd& x, const Eigen::VectorXd& y);
  [[nodiscard]] double squared_error(Use use, const Eigen::MatrixXd& x, const Eigen::VectorXd& y);
  void add_line(const Eigen::MatrixXd& x, Eigen::VectorXd& mean) const;

  std::unique_ptr<Regressor> model_;
  std::optional<Use> only_;
  Use use_ = Use::kLine;
  double scale_ = 0.0;
  double offset_ = 0.0;
};

}  // namespace omnifit::learn
