#include "learn/detail/small_network.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>
#include <vector>

namespace omnifit::learn::detail {
namespace {

constexpr int kWidth = SmallNetwork::kWidth;

/// The parts of a flat array of weights, or of their gradient.
template <class Float>
struct Parts {
  template <class Matrix>
  using View = Eigen::Map<std::conditional_t<std::is_const_v<Float>, const Matrix, Matrix>>;
  View<Eigen::MatrixXf> first;  ///< [kWidth, inputs]
  View<Eigen::VectorXf> first_bias;
  View<Eigen::MatrixXf> second;  ///< [kWidth, kWidth]
  View<Eigen::VectorXf> second_bias;
  View<Eigen::VectorXf> last;    ///< [kWidth]
  View<Eigen::VectorXf> linear;  ///< [inputs]
  Float& bias;

  Parts(Float* weights, Eigen::Index inputs)
      : first(weights, kWidth, inputs),
        first_bias(first.data() + first.size(), kWidth),
        second(first_bias.data() + kWidth, kWidth, kWidth),
        second_bias(second.data() + second.size(), kWidth),
        last(second_bias.data() + kWidth, kWidth),
        linear(last.data() + kWidth, inputs),
        bias(*(linear.data() + inputs)) {}
};

/// Hidden layers, before and behind which nothing is needed.
struct Hidden {
  Eigen::MatrixXf first;  ///< [kWidth, samples]
  Eigen::MatrixXf second;
};

template <class Samples>
void run_hidden(const Parts<const float>& parts, const Samples& samples, Hidden& hidden) {
  hidden.first.noalias() = parts.first * samples;
  hidden.first.colwise() += parts.first_bias;
  hidden.first = hidden.first.array().tanh();
  hidden.second.noalias() = parts.second * hidden.first;
  hidden.second.colwise() += parts.second_bias;
  hidden.second = hidden.second.array().tanh();
}

/// Hands out mini-batches: every sample once before any comes again.
class Batches {
 public:
  Batches(std::span<const Eigen::Index> taken, std::size_t size, core::Rng& rng)
      : order_(taken.begin(), taken.end()), size_(size), next_(order_.size()), rng_(rng) {}

  std::span<const Eigen::Index> next() {
    if (next_ + size_ > order_.size()) {
      rng_.shuffle(std::span(order_));
      next_ = 0;
    }
    next_ += size_;
    return std::span(order_).subspan(next_ - size_, size_);
  }

 private:
  std::vector<Eigen::Index> order_;
  std::size_t size_;
  std::size_t next_;
  core::Rng& rng_;
};

}  // namespace

Eigen::Index SmallNetwork::num_weights() const {
  // The hidden layers with their biases, the last layer, the linear path, the bias.
  return kWidth * (inputs_ + 1) + kWidth * Eigen::Index{kWidth + 1} + kWidth + inputs_ + 1;
}

Eigen::VectorXf SmallNetwork::initial_weights(core::Rng& rng) const {
  Eigen::VectorXf weights = Eigen::VectorXf::Zero(num_weights());
  Parts<float> parts(weights.data(), inputs_);
  // Inputs are scaled to a squared norm of about half their number of groups, not of columns.
  for (float& weight : parts.first.reshaped()) weight = static_cast<float>(rng.normal());
  const float deviation = 1.0F / std::sqrt(static_cast<float>(kWidth));
  for (float& weight : parts.second.reshaped()) {
    weight = deviation * static_cast<float>(rng.normal());
  }
  return weights;
}

Eigen::VectorXf SmallNetwork::outputs(const Eigen::VectorXf& weights,
                                      const Eigen::MatrixXf& samples) const {
  const Parts<const float> parts(weights.data(), inputs_);
  Eigen::VectorXf result(samples.cols());
  // Whole tiles and aligned buffers, so that a sample meets the same additions in any batch.
  Eigen::MatrixXf tile(inputs_, kTileColumns);
  Eigen::VectorXf column(inputs_);
  Eigen::VectorXf units(kWidth);
  Hidden hidden;
  for (Eigen::Index start = 0; start < samples.cols(); start += kTileColumns) {
    const Eigen::Index used = std::min<Eigen::Index>(kTileColumns, samples.cols() - start);
    tile.setZero();
    tile.leftCols(used) = samples.middleCols(start, used);
    run_hidden(parts, tile, hidden);
    for (Eigen::Index i = 0; i < used; ++i) {
      column = samples.col(start + i);
      units = hidden.second.col(i);
      result(start + i) = parts.last.dot(units) + parts.linear.dot(column) + parts.bias;
    }
  }
  return result;
}

void SmallNetwork::gradient(const Eigen::VectorXf& weights, const Eigen::MatrixXf& samples,
                            const Eigen::RowVectorXf& targets, Eigen::VectorXf& gradient) const {
  const Parts<const float> parts(weights.data(), inputs_);
  Hidden hidden;
  run_hidden(parts, samples, hidden);
  Eigen::RowVectorXf error = parts.last.transpose() * hidden.second;
  error += parts.linear.transpose() * samples;
  error.array() += parts.bias - targets.array();
  error *= 2.0F / static_cast<float>(samples.cols());

  gradient.resize(weights.size());
  Parts<float> change(gradient.data(), inputs_);
  change.bias = error.sum();
  change.linear.noalias() = samples * error.transpose();
  change.last.noalias() = hidden.second * error.transpose();
  // Back through tanh: its derivative is 1 - tanh².
  Eigen::MatrixXf back = parts.last * error;
  back.array() *= 1.0F - hidden.second.array().square();
  change.second_bias = back.rowwise().sum();
  change.second.noalias() = back * hidden.first.transpose();
  Eigen::MatrixXf further = parts.second.transpose() * back;
  further.array() *= 1.0F - hidden.first.array().square();
  change.first_bias = further.rowwise().sum();
  change.first.noalias() = further * samples.transpose();
}

Eigen::VectorXf train_network(const SmallNetwork& network, const Eigen::MatrixXf& samples,
                              const Eigen::VectorXf& targets, std::span<const Eigen::Index> taken,
                              const TrainOptions& options, core::Rng rng) {
  constexpr float kMeanDecay = 0.9F;
  constexpr float kSquareDecay = 0.99F;  // short runs: a long memory would outlast the first steps
  constexpr float kLeastRoot = 1e-8F;
  Eigen::VectorXf weights = network.initial_weights(rng);
  const auto batch = std::min(static_cast<std::size_t>(options.batch_size), taken.size());
  if (batch == 0) return weights;
  const auto wanted =
      static_cast<int>(taken.size() * static_cast<std::size_t>(options.epochs) / batch);
  const int steps = std::clamp(wanted, options.min_steps, options.max_steps);
  Batches batches(taken, batch, rng);
  Eigen::ArrayXf mean = Eigen::ArrayXf::Zero(weights.size());
  Eigen::ArrayXf square = Eigen::ArrayXf::Zero(weights.size());
  Eigen::VectorXf gradient;
  Eigen::MatrixXf inputs(samples.rows(), static_cast<Eigen::Index>(batch));
  Eigen::RowVectorXf wished(static_cast<Eigen::Index>(batch));
  float mean_left = 1.0F;
  float square_left = 1.0F;
  for (int step = 0; step < steps; ++step) {
    Eigen::Index column = 0;
    for (const Eigen::Index sample : batches.next()) {
      inputs.col(column) = samples.col(sample);
      wished(column++) = targets(sample);
    }
    network.gradient(weights, inputs, wished, gradient);
    mean = kMeanDecay * mean + (1.0F - kMeanDecay) * gradient.array();
    square = kSquareDecay * square + (1.0F - kSquareDecay) * gradient.array().square();
    mean_left *= kMeanDecay;
    square_left *= kSquareDecay;
    const float progress = static_cast<float>(step) / static_cast<float>(steps);
    const float rate =
        options.learning_rate * 0.5F * (1.0F + std::cos(std::numbers::pi_v<float> * progress));
    weights.array() -=
        rate * (mean / (1.0F - mean_left) / ((square / (1.0F - square_left)).sqrt() + kLeastRoot) +
                options.weight_decay * weights.array());
  }
  return weights;
}

}  // namespace omnifit::learn::detail
