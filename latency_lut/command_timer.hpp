#pragma once

#include "latency_lut/layer_timer.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Runtime of a device whose runner the user wrote.
inline constexpr const char* kCommandRuntime = "command";

/// How a device is reached whose networks any program times. docs/devices.md describes the contract
/// between omnifit and such a runner.
struct CommandTimerOptions {
  std::string device;  ///< its name, for messages
  /// What runs there. The command line is part of what identifies a "command" device alone.
  std::string runtime = kCommandRuntime;
  /// Program and arguments, called without a shell. "{request}" stands for the request file,
  /// an argument that is "{models}" for the paths of all ONNX files, each an argument of its own.
  std::vector<std::string> command;
  std::vector<std::string> prefix;  ///< put before the command, e.g. {"ssh", "board"}
  /// Copies files to the device before each call: "{files}" stands for their local paths, each an
  /// argument of its own. Empty: the runner reads them where they were written.
  std::vector<std::string> push;
  std::string remote_folder;  ///< where `push` puts them; the runner gets paths below it
  int threads = 1;            ///< told to the runner
  int models_per_call = 32;
  double model_timeout_s = 60.0;   ///< between two results of a call
  double call_timeout_s = 1800.0;  ///< of a call as a whole
  int retries = 1;                 ///< of a model without a result
};

/// What is wrong with the options, or "".
std::string problem_of(const CommandTimerOptions& options);

/// Times networks by writing them as ONNX files (random weights, fixed batch size) and calling the
/// runner, which prints one JSON line per network as soon as it is timed. Results count as they
/// arrive, also if the runner fails afterwards.
///
/// A model whose calls end without a result is tried again, alone; then a tiny network that must
/// work tells whether the model is to blame, which is a MeasurementFailure, or the device is gone,
/// which is an EnvironmentError. So is a runner that cannot be started, floods its output, or names
/// models that nobody asked for or that it has reported already. Calls run in a session of their
/// own with empty input, so that nothing can ask for a password, and are killed with all their
/// children at a time-out and when a stop is requested.
/// @throws ConfigError if the options make no sense.
std::unique_ptr<LayerTimer> make_command_timer(const CommandTimerOptions& options);

/// The command of the ONNX Runtime runner that ships with omnifit (Node.js and onnxruntime-node).
/// @throws EnvironmentError saying how to install it if it is not there.
std::vector<std::string> onnxruntime_command();

}  // namespace omnifit::latency
