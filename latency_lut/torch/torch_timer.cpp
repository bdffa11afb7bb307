#include "latency_lut/torch/torch_timer.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "latency_lut/sampling.hpp"
#include "supernet/static_network.hpp"
#include "supernet/thread_policy.hpp"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <fstream>
#include <optional>

namespace omnifit::latency {
namespace {

constexpr std::uint64_t kWeightSeed = 1;

/// `text` without the characters that would end a JSON string.
std::string json_string(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '"' || c == '\\') safe += '\\';
    safe += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return '"' + safe + '"';
}

/// The kernel's name for the processor, "unknown" where it has none.
std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
      return start == std::string::npos ? "unknown" : line.substr(start);
    }
  }
  return "unknown";
}

class TorchTimer final : public LayerTimer {
 public:
  explicit TorchTimer(TorchTimerOptions options) : options_(std::move(options)) {}

  std::vector<TimerResult> time_units(std::span<const space::LayerSpec> specs,
                                      const Protocol& protocol,
                                      const std::function<void(std::size_t)>& on_done) override {
    std::vector<space::NetworkPlan> plans;
    for (const space::LayerSpec& spec : specs) {
      space::NetworkPlan plan;
      plan.resolution_px = space::input_shape(spec).px;
      plan.units.push_back({0, spec});
      plans.push_back(std::move(plan));
    }
    return time_networks(plans, protocol, on_done);
  }

  std::vector<TimerResult> time_networks(std::span<const space::NetworkPlan> plans,
                                         const Protocol& protocol,
                                         const std::function<void(std::size_t)>& on_done) override {
    const supernet::ThreadPolicy policy(options_.threads);
    std::vector<TimerResult> results;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      core::check_interrupt();
      results.push_back(time_one(plans[i], protocol));
      if (on_done) on_done(i);
    }
    return results;
  }

  [[nodiscard]] std::string describe() const override {
    const char* vectors = at::hasMKLDNN() ? "onednn" : "native";
    return fmt::format(
        R"({{"runtime": "libtorch", "version": {}, "kernels": "{}", "device": {}, "cpu": {}, "threads": {}}})",
        json_string(supernet::libtorch_version()), vectors, json_string(options_.device),
        json_string(cpu_model()), options_.threads);
  }

 private:
  [[nodiscard]] TimerResult time_one(const space::NetworkPlan& plan,
                                     const Protocol& protocol) const {
    try {
      const c10::InferenceMode inference;
      supernet::StaticNetwork network = supernet::StaticNetwork::random(plan, kWeightSeed);
      network.to_device(options_.device);
      const space::FeatureShape in = space::input_shape(plan.units.front().spec);
      const std::int64_t count = std::int64_t{protocol.batch_size} * in.channels * in.px * in.px;
      const at::Tensor x = at::linspace(-1.0, 1.0, count, at::kFloat)
                               .view({protocol.batch_size, in.channels, in.px, in.px})
                               .to(at::Device(options_.device))
                               .contiguous(at::MemoryFormat::ChannelsLast);
      return take_samples([&](int repeats) { return run_ms(network, x, repeats); }, protocol);
    } catch (const c10::Error& error) {
      return MeasurementFailure{error.what_without_backtrace()};
    } catch (const std::bad_alloc&) {
      return MeasurementFailure{"not enough memory"};
    }
  }

  [[nodiscard]] double run_ms(const supernet::StaticNetwork& network, const at::Tensor& x,
                              int repeats) const {
    synchronise();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) static_cast<void>(network.forward(x));
    synchronise();
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    return elapsed.count();
  }

  void synchronise() const {
    if (options_.device != "cpu") at::detail::getCUDAHooks().deviceSynchronize(0);
  }

  TorchTimerOptions options_;
};

}  // namespace

std::unique_ptr<LayerTimer> make_torch_timer(const TorchTimerOptions& options) {
  if (options.device != "cpu" && options.device != "cuda") {
    throw ConfigError(fmt::format("device '{}' is not known; allowed: cpu, cuda", options.device));
  }
  if (options.threads < 1) {
    throw ConfigError(fmt::format("threads must be at least 1, got {}", options.threads));
  }
  if (options.device == "cuda" && !supernet::cuda_available()) {
    throw EnvironmentError("device 'cuda': LibTorch finds no CUDA device");
  }
  return std::make_unique<TorchTimer>(options);
}

}  // namespace omnifit::latency
