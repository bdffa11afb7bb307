#pragma once

#include "latency_lut/layer_timer.hpp"

#include <functional>
#include <memory>
#include <string>

namespace omnifit::pipeline {

/// What a run takes from outside, so that tests can put their own in its place.
struct Services {
  /// The timer of a runtime ("libtorch") on `device` ("cpu", "cuda") with that many threads. Empty:
  /// the built-in ones.
  std::function<std::unique_ptr<latency::LayerTimer>(const std::string& runtime,
                                                     const std::string& device, int threads)>
      make_timer;
};

}  // namespace omnifit::pipeline
