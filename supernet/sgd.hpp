#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace omnifit::supernet {

/// Stochastic gradient descent with Nesterov momentum. Weights without a gradient in a step still
/// move by momentum and decay, so a subnet that was not sampled does not stand still (as the
/// reference's training does).
///
/// Weight decay spares names that contain "bn" or "bias". Update, in this order:
/// g += decay * w; m = momentum * m + g; w -= rate * (g + momentum * m).
class Sgd {
 public:
  /// Keeps the tensors (shared); momentum starts at zero. Gradients are allocated and zeroed.
  Sgd(std::vector<std::pair<std::string, at::Tensor>> parameters, double momentum,
      double weight_decay);

  void zero_gradients();
  void step(double learning_rate);

  /// Momentum buffers by parameter name; shared, for checkpoints.
  [[nodiscard]] std::vector<std::pair<std::string, at::Tensor>> buffers() const;

 private:
  struct Parameter {
    std::string name;
    at::Tensor value;
    at::Tensor buffer;
    double weight_decay = 0.0;
  };
  std::vector<Parameter> parameters_;
  double momentum_;
};

}  // namespace omnifit::supernet
