#pragma once

#include <Eigen/Core>

#include <cstddef>
#include <span>
#include <vector>

namespace omnifit::latency {

/// How much the latencies of a new device are believed to resemble those of known devices.
/// Everything is in units of the spread (standard deviation of ln ms) over the candidates.
struct TransferPrior {
  int num_components = 4;           ///< directions in which the known devices differ that are used
  double component_variance = 0.3;  ///< of the new device's weight of each
  double residual_variance = 0.1;   ///< of what no known device shows, smooth over archs
  double noise_variance = 0.05;     ///< of one measurement
  friend bool operator==(const TransferPrior&, const TransferPrior&) = default;
};

/// ln of latencies without outliers: what lies further beyond the quartiles than 1.5 times their
/// distance is moved to that bound. Networks that do nothing (a cell without a path) take
/// microseconds on some devices, and their logarithms would drown all others.
Eigen::VectorXd log_without_outliers(std::span<const double> time_ms);

/// Latencies of every candidate on a device that was measured on some of them, by a Gaussian
/// process on ln(latency) over the candidates' features.
/// @throws std::invalid_argument if sizes differ or a time is not positive.
Eigen::VectorXd estimate_candidates(const Eigen::MatrixXd& features,
                                    std::span<const std::size_t> measured,
                                    std::span<const double> measured_ms);

/// Latencies of a new device from few measurements, using what other devices take for the same
/// networks.
///
/// ln(latency) of the new device is a Gaussian process over the candidates: the mean of the known
/// devices (each standardised), plus their principal differences with unknown weights, plus a
/// residual that is alike for archs with like features. Measurements condition it; its remaining
/// uncertainty says which networks to measure. How much to believe each part is chosen by treating
/// every known device as new in turn, with the same networks measured. Immutable; thread-safe.
class DeviceTransfer {
 public:
  static constexpr int kMinDevices = 2;
  static constexpr int kMinMeasurements = 3;

  /// @param known_ms a row per candidate network, a column per known device: measured, or estimated
  /// by that device's own model. @param features a row per candidate, e.g. its one-hot encoding.
  /// @throws std::invalid_argument if the rows differ in number, with fewer than kMinDevices
  /// devices or kMinMeasurements candidates, or if a latency is not positive.
  DeviceTransfer(const Eigen::MatrixXd& known_ms, const Eigen::MatrixXd& features);

  /// The candidates to measure, best first: each lowers the expected squared error over all
  /// candidates most, given those before it. The first n of a longer proposal are the proposal of
  /// n.
  [[nodiscard]] std::vector<std::size_t> propose(std::size_t count) const;

  struct Estimate {
    Eigen::VectorXd time_ms;        ///< of every candidate
    Eigen::VectorXd rel_deviation;  ///< standard deviation of ln(time), about the relative error
    TransferPrior prior;            ///< that was chosen
  };
  /// @param measured candidates that were measured. @throws std::invalid_argument if sizes differ,
  /// with fewer than kMinMeasurements, or on an index or a time out of range.
  [[nodiscard]] Estimate estimate(std::span<const std::size_t> measured,
                                  std::span<const double> measured_ms) const;

 private:
  /// The known devices as a prior: mean of the standardised logarithms and principal differences.
  struct Basis {
    Eigen::VectorXd mean;    ///< per candidate
    Eigen::MatrixXd scores;  ///< per candidate and component, largest first
  };
  static Basis basis_of(const Eigen::MatrixXd& standardised);
  [[nodiscard]] Eigen::MatrixXd residual_kernel(std::span<const Eigen::Index> a,
                                                std::span<const Eigen::Index> b) const;
  [[nodiscard]] TransferPrior choose_prior(std::span<const Eigen::Index> measured) const;

  Eigen::MatrixXd standardised_;  ///< ln ms, per device mean 0 and deviation 1
  Basis basis_;
  Eigen::MatrixXd features_;  ///< scaled so that two candidates have mean squared distance 1
};

}  // namespace omnifit::latency
