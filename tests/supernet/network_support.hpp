#pragma once

#include "core/node.hpp"
#include "core/rng.hpp"
#include "space/search_space.hpp"
#include "supernet/data/dataset.hpp"
#include "supernet/supernet_impl.hpp"
#include "tests/support/catch.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

namespace omnifit::test {

inline space::SearchSpace shipped_space(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                  (name + ".yaml"));
}

inline space::SearchSpace space_from(const std::string& yaml) {
  return space::SearchSpace::from_yaml(core::parse_yaml(yaml, "space.yaml"));
}

/// Largest difference relative to the largest magnitude.
inline double relative_difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor wanted = expected.detach().to(at::kDouble);
  const double scale = std::max(wanted.abs().max().item<double>(), 1e-12);
  return (found.detach().to(at::kDouble) - wanted).abs().max().item<double>() / scale;
}

inline at::Tensor random_images(std::int64_t count, std::int64_t channels, std::int64_t px,
                                std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  at::Tensor images = at::empty({count, channels, px, px}, at::kFloat);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  }
  return images;
}

/// Moves every tensor of a fresh network away from its start, so that no bias or statistic is
/// trivially 0 or 1.
inline void disturb(supernet::Supernet& network) {
  std::uint64_t seed = 1;
  for (const auto& [name, tensor] : network.state()) {
    if (!tensor.is_floating_point()) continue;
    core::Rng rng = core::Rng::stream(seed++, core::Purpose::kTest);
    at::Tensor values = tensor.detach();
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      float& value = values.data_ptr<float>()[i];
      value = static_cast<float>(value * rng.uniform(0.8, 1.2) + rng.uniform(-0.05, 0.05));
    }
  }
}

/// Images whose class shows in their brightness pattern, so that a small network learns them in a
/// few steps.
inline supernet::Dataset toy_dataset(int num_train = 96, int px = 16, int channels = 1) {
  supernet::Dataset data;
  data.name = "toy";
  data.channels = channels;
  data.image_px = px;
  data.num_classes = 4;
  data.mean.assign(static_cast<std::size_t>(channels), 0.4F);
  data.deviation.assign(static_cast<std::size_t>(channels), 0.25F);
  data.fingerprint = "toy";
  const auto draw = [&](supernet::ImageSplit& split, int count, std::uint64_t key) {
    core::Rng rng = core::Rng::stream(key, core::Purpose::kTest);
    for (int i = 0; i < count; ++i) {
      const int label = i % data.num_classes;
      split.labels.push_back(label);
      for (int value = 0; value < channels * px * px; ++value) {
        const int pixel = value / channels;
        const int quadrant = pixel / px / (px / 2) * 2 + pixel % px / (px / 2);
        const double level = quadrant == label ? 180 : 60;
        split.pixels.push_back(static_cast<std::uint8_t>(level + rng.uniform(-50, 50)));
      }
    }
  };
  draw(data.train, num_train, 1);
  draw(data.validation, 40, 2);
  draw(data.test, 40, 3);
  return data;
}

}  // namespace omnifit::test
