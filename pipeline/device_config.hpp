#pragma once

#include "core/fields.hpp"
#include "latency_lut/layer_timer.hpp"

#include <memory>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// A device of a job, or a device file: where latency is measured and how it is reached.
struct DeviceConfig {
  std::string name = "this-cpu";
  std::string runtime = "libtorch";  ///< libtorch | onnxruntime | command
  int threads = 1;                   ///< of one inference
  // Of the runtimes onnxruntime and command, which call a program; see docs/devices.md.
  std::vector<std::string> command;
  std::vector<std::string> prefix;
  std::vector<std::string> push;
  std::string remote_folder;
  int models_per_call = 32;
  double model_timeout_s = 60.0;
  double call_timeout_s = 1800.0;
  int retries = 1;
  void fields(core::Fields& f);
  friend bool operator==(const DeviceConfig&, const DeviceConfig&) = default;

  /// Whether networks are timed by a program that is called, not in this process.
  [[nodiscard]] bool calls_program() const { return runtime != "libtorch"; }
  /// Everything that decides what is measured, as text; not how long is waited for it.
  [[nodiscard]] std::string identity() const;
};

/// The built-in timer of a device. `compute` ("cpu" or "cuda") is where LibTorch runs.
/// @throws EnvironmentError if the runtime is not there.
std::unique_ptr<latency::LayerTimer> make_timer(const DeviceConfig& device,
                                                const std::string& compute);

}  // namespace omnifit::pipeline
