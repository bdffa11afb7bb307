#pragma once

#include "learn/regressor.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::learn {

/// Corrects what another predictor says of the samples: y = scale · prior + offset + model(x).
///
/// The last column of x is that other predictor's opinion, the prior. The line is fitted by least
/// squares, the model learns what it leaves, and sees the prior like any other column. Where few
/// samples are there, a prior of a related problem (another width of the same networks, another
/// resolution) orders them better than the samples themselves could. A prior that is the same for
/// all samples has scale 0. The deviation is the model's.
class PriorRegressor final : public Regressor {
 public:
  /// Ends the kind of a model on a prior: "ridge_on_prior".
  static constexpr std::string_view kSuffix = "_on_prior";

  /// @param model not fitted, and no PriorRegressor itself
  explicit PriorRegressor(std::unique_ptr<Regressor> model);

  /// @throws std::invalid_argument as the model does, and if x has no column.
  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] Eigen::VectorXd predict_mean(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override;
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static PriorRegressor restore(std::span<const std::byte> bytes);

  [[nodiscard]] double scale() const { return scale_; }
  [[nodiscard]] double offset() const { return offset_; }

 private:
  void add_line(const Eigen::MatrixXd& x, Eigen::VectorXd& mean) const;

  std::unique_ptr<Regressor> model_;
  double scale_ = 0.0;
  double offset_ = 0.0;
};

}  // namespace omnifit::learn
