#pragma once

#include <Eigen/Core>

#include <cstddef>
#include <string>
#include <vector>

namespace omnifit::learn {

/// Predicted mean and standard deviation (0 where the model has none), one per row.
struct Prediction {
  Eigen::VectorXd mean;
  Eigen::VectorXd deviation;
};

/// A regression model: matrices in, numbers out; knows nothing of archs. Not thread-safe while
/// fitting; `predict` is const and thread-safe. Single = batch of one, bit for bit.
class Regressor {
 public:
  virtual ~Regressor() = default;
  /// Rows are samples. @throws std::invalid_argument on NaN, size mismatch or fewer samples than
  /// the model needs.
  virtual void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) = 0;
  /// @throws StateError before fit, std::invalid_argument if the number of columns differs.
  [[nodiscard]] virtual Prediction predict(const Eigen::MatrixXd& x) const = 0;
  /// The mean alone, the same bits as predict's; models whose deviation costs time override it.
  [[nodiscard]] virtual Eigen::VectorXd predict_mean(const Eigen::MatrixXd& x) const {
    return predict(x).mean;
  }
  /// Everything `restore` needs, as bytes with a version; the predictor table stores it as a blob.
  [[nodiscard]] virtual std::vector<std::byte> save() const = 0;
  /// As model_choices() spells it: "ridge", "gaussian_process" …
  [[nodiscard]] virtual std::string kind() const = 0;
};

}  // namespace omnifit::learn
