#pragma once

#include "latency_lut/layer_timer.hpp"
#include "pipeline/device_config.hpp"

#include <functional>
#include <memory>
#include <string>

namespace omnifit::pipeline {

/// What a run takes from outside, so that tests can put their own in its place.
struct Services {
  /// The timer of a device; `compute` ("cpu", "cuda") is where LibTorch runs. Empty: the built-in
  /// ones.
  std::function<std::unique_ptr<latency::LayerTimer>(const DeviceConfig& device,
                                                     const std::string& compute)>
      make_timer;
};

}  // namespace omnifit::pipeline
