#include "latency_lut/torch/torch_timer.hpp"

#include "core/cpu_info.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "latency_lut/sampling.hpp"
#include "latency_lut/torch/cuda_events.hpp"
#include "supernet/static_network.hpp"
#include "supernet/thread_policy.hpp"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
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

class TorchTimer final : public LayerTimer {
 public:
  explicit TorchTimer(TorchTimerOptions options) : options_(std::move(options)) {
    if (options_.device == "cuda") events_ = CudaEvents::find();
  }

  void time(std::span<const space::NetworkPlan> plans, const Protocol& protocol,
            const space::NetworkPlan* reference, const OnResult& on_result) override {
    const supernet::ThreadPolicy policy(options_.threads);
    std::optional<Loaded> loaded_reference;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      core::check_interrupt();
      if (reference != nullptr && !loaded_reference && takes_turns(plans[i])) {
        loaded_reference = load_reference(*reference, protocol);
        if (!loaded_reference) reference = nullptr;
      }
      on_result(
          i, time_plan(plans[i], protocol,
                       takes_turns(plans[i]) && loaded_reference ? &*loaded_reference : nullptr));
    }
  }

  [[nodiscard]] std::string describe() override {
    std::string flags;
    for (const std::string& flag : core::cpu_flags()) {
      flags += (flags.empty() ? "" : ", ") + json_string(flag);
    }
    // Only a GPU has a choice of clocks. A CPU keeps the words its profiles are stored under.
    const std::string clock =
        options_.device == "cpu"
            ? ""
            : fmt::format(R"("clock": "{}", )", events_ ? "cuda events" : "host");
    return fmt::format(
        R"({{"runtime": "libtorch", "version": {}, "kernels": "{}", "device": {}, {}"cpu": {}, )"
        R"("flags": [{}], "governor": {}, "threads": {}}})",
        json_string(supernet::libtorch_version()), at::hasMKLDNN() ? "onednn" : "native",
        json_string(options_.device), clock, json_string(core::cpu_model()), flags,
        json_string(core::cpu_governor()), options_.threads);
  }

 private:
  /// A network on the device and what it is given.
  struct Loaded {
    supernet::StaticNetwork network;
    at::Tensor x;
  };

  [[nodiscard]] Loaded load(const space::NetworkPlan& plan, const Protocol& protocol) const {
    const c10::InferenceMode inference;
    supernet::StaticNetwork network = supernet::StaticNetwork::random(plan, kWeightSeed);
    network.to_device(options_.device);
    const space::FeatureShape in = space::input_shape(plan.units.front().spec);
    const std::int64_t count = std::int64_t{protocol.batch_size} * in.channels * in.px * in.px;
    at::Tensor x = at::linspace(-1.0, 1.0, count, at::kFloat)
                       .view({protocol.batch_size, in.channels, in.px, in.px})
                       .to(at::Device(options_.device))
                       .contiguous(at::MemoryFormat::ChannelsLast);
    return {std::move(network), std::move(x)};
  }

  /// nullopt where LibTorch cannot run it: then networks are timed alone.
  [[nodiscard]] std::optional<Loaded> load_reference(const space::NetworkPlan& plan,
                                                     const Protocol& protocol) const {
    try {
      const c10::InferenceMode inference;
      std::optional<Loaded> reference = load(plan, protocol);
      static_cast<void>(run_ms(*reference, 1));
      return reference;
    } catch (const c10::Error&) {
      return std::nullopt;
    } catch (const std::bad_alloc&) {
      return std::nullopt;
    }
  }

  [[nodiscard]] TimerResult time_plan(const space::NetworkPlan& plan, const Protocol& protocol,
                                      const Loaded* reference) {
    try {
      const c10::InferenceMode inference;
      const Loaded loaded = load(plan, protocol);
      const auto run = [&](int repeats) { return run_ms(loaded, repeats); };
      if (reference != nullptr) {
        const auto run_reference = [&](int repeats) { return run_ms(*reference, repeats); };
        return take_paired_samples(run, run_reference, protocol);
      }
      return take_samples(run, protocol, options_.device == "cpu" ? &pulse_ : nullptr);
    } catch (const c10::Error& error) {
      return MeasurementFailure{error.what_without_backtrace()};
    } catch (const std::bad_alloc&) {
      return MeasurementFailure{"not enough memory"};
    }
  }

  [[nodiscard]] double run_ms(const Loaded& loaded, int repeats) const {
    const auto work = [&] {
      for (int i = 0; i < repeats; ++i) static_cast<void>(loaded.network.forward(loaded.x));
    };
    synchronise();
    if (events_) return events_->elapsed_ms(work);
    const auto start = std::chrono::steady_clock::now();
    work();
    synchronise();
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    return elapsed.count();
  }

  void synchronise() const {
    if (options_.device != "cpu") at::detail::getCUDAHooks().deviceSynchronize(0);
  }

  TorchTimerOptions options_;
  std::optional<CudaEvents> events_;
  Pulse pulse_;
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
