#include "formats/random_network.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace omnifit::formats {
namespace {

/// Uniform in [-1, 1): drawn once, repeated by every tensor: drawing every weight anew took 3 % of
/// a profile's time, and values do not matter.
class RepeatedNoise {
 public:
  explicit RepeatedNoise(core::Rng rng) {
    for (float& value : values_) value = static_cast<float>(rng.uniform(-1.0, 1.0));
  }

  /// Goes on where the last tensor ended, so that no two are alike.
  void fill(std::vector<float>& tensor, float bound) {
    for (std::size_t done = 0; done < tensor.size();) {
      const std::size_t count = std::min(tensor.size() - done, values_.size() - at_);
      for (std::size_t i = 0; i < count; ++i) tensor[done + i] = bound * values_[at_ + i];
      done += count;
      at_ = (at_ + count) % values_.size();
    }
  }

 private:
  std::array<float, 8191> values_{};  // a prime: no row of weights begins like the one before it
  std::size_t at_ = 0;
};

}  // namespace

FoldedNetwork random_network(const space::NetworkPlan& plan, std::uint64_t seed) {
  FoldedNetwork network;
  network.plan = plan;
  RepeatedNoise noise(core::Rng::stream(seed, core::Purpose::kProfile));
  for (const TensorShape& tensor : folded_tensor_shapes(plan)) {
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    const double bound =
        std::sqrt(3.0 * static_cast<double>(tensor.shape[0]) / static_cast<double>(count));
    std::vector<float> values(static_cast<std::size_t>(count));
    noise.fill(values, static_cast<float>(bound));
    network.tensors.push_back(NamedTensor::from_floats(tensor.name, tensor.shape, values));
  }
  return network;
}

}  // namespace omnifit::formats
