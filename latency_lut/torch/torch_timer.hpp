#pragma once

#include "latency_lut/layer_timer.hpp"

#include <memory>
#include <string>

namespace omnifit::latency {

struct TorchTimerOptions {
  int threads = 1;             ///< LibTorch intra-op threads, at least 1; CPU only
  std::string device = "cpu";  ///< "cpu" or "cuda"
};

/// Times units and networks through LibTorch's own operators: random weights, batch norm folded,
/// channels-last, float32, no gradient. On CUDA every sample is timed with CUDA events where the
/// process has them, else by the host's clock up to a synchronisation. A unit that LibTorch refuses
/// to run is a MeasurementFailure; a stop request ends the batch with Interrupted between two
/// units.
/// @throws EnvironmentError if the device is "cuda" and LibTorch has none; ConfigError for another
/// name.
std::unique_ptr<LayerTimer> make_torch_timer(const TorchTimerOptions& options);

}  // namespace omnifit::latency
