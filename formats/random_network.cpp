#include "formats/random_network.hpp"

#include "core/rng.hpp"

#include <cmath>
#include <utility>

namespace omnifit::formats {

FoldedNetwork random_network(const space::NetworkPlan& plan, std::uint64_t seed) {
  FoldedNetwork network;
  network.plan = plan;
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kProfile);
  for (const TensorShape& tensor : folded_tensor_shapes(plan)) {
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    const double bound =
        std::sqrt(3.0 * static_cast<double>(tensor.shape[0]) / static_cast<double>(count));
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = static_cast<float>(rng.uniform(-bound, bound));
    network.tensors.push_back(NamedTensor::from_floats(tensor.name, tensor.shape, values));
  }
  return network;
}

}  // namespace omnifit::formats
