#include "supernet/sgd.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

namespace omnifit::supernet {
namespace {

bool is_decayed(const std::string& name) {
  return name.find("bn") == std::string::npos && name.find("bias") == std::string::npos;
}

/// One pass over memory instead of five; a step over a million weights is otherwise mostly
/// dispatch.
void update_floats(float* weight, const float* gradient, float* buffer, std::int64_t count,
                   float rate, float momentum, float decay) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] + decay * weight[i];
    const float m = momentum * buffer[i] + g;
    buffer[i] = m;
    weight[i] -= rate * (g + momentum * m);
  }
}

}  // namespace

Sgd::Sgd(std::vector<std::pair<std::string, at::Tensor>> parameters, double momentum,
         double weight_decay)
    : momentum_(momentum) {
  for (auto& [name, value] : parameters) {
    value.mutable_grad() = at::zeros_like(value);
    parameters_.push_back(
        {name, value, at::zeros_like(value), is_decayed(name) ? weight_decay : 0.0});
  }
}

void Sgd::zero_gradients() {
  for (Parameter& parameter : parameters_) parameter.value.mutable_grad().zero_();
}

void Sgd::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  for (Parameter& parameter : parameters_) {
    at::Tensor value = parameter.value.detach();
    const at::Tensor& gradient = parameter.value.grad();
    if (value.is_cpu() && value.scalar_type() == at::kFloat && value.is_contiguous() &&
        gradient.is_contiguous() && parameter.buffer.is_contiguous()) {
      update_floats(value.data_ptr<float>(), gradient.data_ptr<float>(),
                    parameter.buffer.data_ptr<float>(), value.numel(),
                    static_cast<float>(learning_rate), static_cast<float>(momentum_),
                    static_cast<float>(parameter.weight_decay));
      continue;
    }
    const at::Tensor g = gradient.add(value, parameter.weight_decay);
    parameter.buffer.mul_(momentum_).add_(g);
    value.sub_(g.add(parameter.buffer, momentum_), learning_rate);
  }
}

std::vector<std::pair<std::string, at::Tensor>> Sgd::buffers() const {
  std::vector<std::pair<std::string, at::Tensor>> found;
  for (const Parameter& parameter : parameters_) {
    found.emplace_back(parameter.name, parameter.buffer);
  }
  return found;
}

}  // namespace omnifit::supernet
