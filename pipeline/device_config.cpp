#include "pipeline/device_config.hpp"

#include "core/error.hpp"
#include "latency_lut/command_timer.hpp"
#include "latency_lut/torch/torch_timer.hpp"

#include <algorithm>

namespace omnifit::pipeline {
namespace {

constexpr const char* kLibTorch = "libtorch";
constexpr const char* kOnnxRuntime = "onnxruntime";

latency::CommandTimerOptions command_options(const DeviceConfig& device) {
  return {.device = device.name,
          .runtime = device.runtime,
          .command = device.command,
          .prefix = device.prefix,
          .push = device.push,
          .remote_folder = device.remote_folder,
          .threads = device.threads,
          .models_per_call = device.models_per_call,
          .model_timeout_s = device.model_timeout_s,
          .call_timeout_s = device.call_timeout_s,
          .retries = device.retries};
}

}  // namespace

void DeviceConfig::fields(core::Fields& f) {
  f.text("name", name, "how the project file and the report call this device", true);
  f.text("runtime", runtime,
         "what runs the networks there: libtorch, onnxruntime or command (docs/devices.md)");
  const std::vector<std::string> runtimes{kLibTorch, kOnnxRuntime, latency::kCommandRuntime};
  if (f.reading() && std::find(runtimes.begin(), runtimes.end(), runtime) == runtimes.end()) {
    const std::string guess = core::did_you_mean(runtime, runtimes);
    f.error("runtime",
            fmt::format("must be one of {}, got '{}'{}", fmt::join(runtimes, ", "), runtime,
                        guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess)));
  }
  f.integer("threads", threads, {1, 1024}, "threads of one inference");
  if (!f.reading() && !calls_program()) return;
  const bool own_command = runtime == latency::kCommandRuntime;
  if (f.reading() || own_command) {
    f.texts("command", command, "program and arguments; {request} and {models} are the networks");
    f.texts("prefix", prefix, "put before the command, e.g. [ssh, board]");
    f.texts("push", push, "program and arguments that copy {files} to the device first");
    f.text("remote_folder", remote_folder, "where push puts the files");
  }
  f.integer("models_per_call", models_per_call, {1, 10'000}, "networks per call, at most");
  f.real("model_timeout_s", model_timeout_s, {0.0, 86'400.0, true},
         "[s] between two results of a call");
  f.real("call_timeout_s", call_timeout_s, {0.0, 604'800.0, true}, "[s] of a call as a whole");
  f.integer("retries", retries, {0, 100}, "further attempts for a network without a result");
  if (!f.reading()) return;
  if (!own_command) {
    for (const char* key : {"command", "prefix", "push", "remote_folder"}) {
      if (f.has(key)) f.error(key, "belongs to the runtime command");
    }
    return;
  }
  if (const std::string problem = latency::problem_of(command_options(*this)); !problem.empty()) {
    f.error("command", problem);
  }
}

std::string DeviceConfig::identity() const {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n", name, runtime, threads, fmt::join(prefix, "\n"),
                     fmt::join(command, "\n"));
}

std::unique_ptr<latency::LayerTimer> make_timer(const DeviceConfig& device,
                                                const std::string& compute) {
  if (device.runtime == kLibTorch) {
    return latency::make_torch_timer({.threads = device.threads, .device = compute});
  }
  latency::CommandTimerOptions options = command_options(device);
  if (device.runtime == kOnnxRuntime) options.command = latency::onnxruntime_command();
  return latency::make_command_timer(options);
}

}  // namespace omnifit::pipeline
