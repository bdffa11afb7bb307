#pragma once

#include "core/rng.hpp"

#include <Eigen/Core>

#include <span>

namespace omnifit::learn::detail {

/// A network of one output: two hidden layers of `Width` tanh units, and a linear path from the
/// inputs to the output beside them. Its weights are one flat array, so that an optimiser step is
/// one expression.
class SmallNetwork {
 public:
  static constexpr int kWidth = 32;
  /// Samples that `outputs` works on at a time.
  static constexpr int kTileColumns = 32;

  explicit SmallNetwork(Eigen::Index inputs) : inputs_(inputs) {}

  [[nodiscard]] Eigen::Index num_weights() const;
  /// Random weights of the hidden layers, zeros elsewhere: the network starts as the constant 0.
  [[nodiscard]] Eigen::VectorXf initial_weights(core::Rng& rng) const;
  /// Of one sample per column. A sample's output does not depend on the others.
  [[nodiscard]] Eigen::VectorXf outputs(const Eigen::VectorXf& weights,
                                        const Eigen::MatrixXf& samples) const;
  /// Gradient of the mean squared error over `samples` (one per column).
  void gradient(const Eigen::VectorXf& weights, const Eigen::MatrixXf& samples,
                const Eigen::RowVectorXf& targets, Eigen::VectorXf& gradient) const;

 private:
  Eigen::Index inputs_;
};

struct TrainOptions {
  int batch_size = 32;
  int epochs = 100;
  int min_steps = 500;
  int max_steps = 2000;
  float learning_rate = 3e-2F;
  float weight_decay = 1e-2F;  ///< per step, times the learning rate
};

/// Weights after AdamW on mini-batches of the samples (one per column) that `taken` names, the
/// learning rate falling along half a cosine to zero. Deterministic.
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
Eigen::VectorXf train_network(const SmallNetwork& network, const Eigen::MatrixXf& samples,
                              const Eigen::VectorXf& targets, std::span<const Eigen::Index> taken,
                              const TrainOptions& options, core::Rng rng);

}  // namespace omnifit::learn::detail
