#pragma once

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/node.hpp"
#include "core/threads.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "supernet/network.hpp"
#include "tests/supernet/reference_values.hpp"

#include <torch/csrc/autograd/grad_mode.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Comparison with recorded outputs of the reference implementation, for any file of the format
/// that the README of the recorded files describes.
namespace omnifit::test {

/// One number that was compared with the recorded one.
struct ParityCheck {
  std::string what;         ///< "float32 eval"
  double difference = 0.0;  ///< largest difference over the largest recorded logit
  double tolerance = 0.0;
  [[nodiscard]] bool passed() const { return difference <= tolerance; }
};

/// One case of a file.
struct ParityCase {
  std::string name;  ///< "case 3", "sorted 1, case 0"
  std::vector<ParityCheck> checks;
  std::string problem;  ///< what is not equal but must be; empty: nothing
  [[nodiscard]] bool passed() const {
    return problem.empty() && std::ranges::all_of(checks, &ParityCheck::passed);
  }
};

class ParityFile {
 public:
  /// @throws DataError if the file is not of the format or of no shipped space.
  explicit ParityFile(const std::filesystem::path& path, int threads = 1)
      : json_(parse(path)),
        space_(make_space(json_)),
        io_{3, json_.at("n_classes").get<int>()},
        network_(space_, io_, 1),
        wide_network_(space_, io_, 1),
        threads_(threads) {}

  [[nodiscard]] const space::SearchSpace& space() const { return space_; }

  /// Names and shapes of the recorded state dict against the network's own, in order. "" if equal.
  [[nodiscard]] std::string tensor_problem() const {
    const auto& recorded = json_.at("tensors");
    const auto& state = network_.state();
    for (std::size_t i = 0; i < std::max(recorded.size(), state.size()); ++i) {
      const std::string wanted = i < recorded.size() ? text_of(recorded[i]) : "nothing";
      const std::string found = i < state.size() ? text_of(state[i]) : "nothing";
      if (wanted != found) return fmt::format("tensor {}: found {}, expected {}", i, found, wanted);
    }
    return "";
  }

  /// Runs the cases, several at once, and tells each, in the file's order. @param limit at most so
  /// many per list; 0: all.
  void run(const std::function<void(const ParityCase&)>& tell, std::size_t limit = 0) {
    run_cases(
        "case", json_.at("cases"), limit, [](Supernet&) {}, tell);
    if (!json_.contains("channel_sorted")) return;
    for (const auto& sorted : json_["channel_sorted"]) {
      const int stage = sorted.at("expand_ratio_stage");
      run_cases(
          fmt::format("sorted {}, case", stage), sorted.at("cases"), limit,
          [stage](Supernet& network) { network.sort_channels(stage); }, tell);
    }
  }

 private:
  using Json = nlohmann::json;
  using Supernet = supernet::Supernet;

  static constexpr double kFloat64Tolerance = 1e-8;
  static constexpr double kFloat32Tolerance = 1e-4;

  static Json parse(const std::filesystem::path& path) {
    try {
      return Json::parse(core::read_text_file(path));
    } catch (const Json::exception& error) {
      throw DataError(fmt::format("{}: {}", path.string(), error.what()));
    }
  }

  /// The shipped space with the file's widths and image sizes. Batch norm is the space's: what a
  /// file says of it at its head need not be what was run (that of the ProxylessNAS file is not).
  static space::SearchSpace make_space(const Json& json) {
    const std::string name = json.at("space");
    core::Node root = core::load_yaml(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                      (name + ".yaml"));
    std::set<int> sizes;
    for (const auto& recorded : json.at("cases"))
      sizes.insert(recorded.at("image_size").get<int>());
    if (json.contains("channel_sorted")) {
      for (const auto& sorted : json["channel_sorted"]) {
        for (const auto& recorded : sorted.at("cases")) {
          sizes.insert(recorded.at("image_size").get<int>());
        }
      }
    }
    core::apply_override(root, fmt::format("resolutions=[{}]", fmt::join(sizes, ", ")));
    core::apply_override(root, "width_mult=" + json.at("width_mult").dump());
    return space::SearchSpace::from_yaml(root);
  }

  static std::string text_of(const Json& tensor) {
    return fmt::format("{} {}", tensor.at("name").get<std::string>(), tensor.at("shape").dump());
  }
  static std::string text_of(const std::pair<std::string, at::Tensor>& tensor) {
    return fmt::format("{} {}", tensor.first, Json(tensor.second.sizes().vec()).dump());
  }

  /// The reference runs a stage to its end where an arch asks for more blocks than it has.
  [[nodiscard]] space::NetworkPlan plan_of(const Json& recorded) const {
    Json arch = recorded.at("arch");
    arch["image_size"] = recorded.at("image_size");
    if (space_.family_kind() == space::Family::kMbConv) {
      std::size_t i = 0;
      for (const space::StageConfig& stage : space_.stages()) {
        const bool listed = stage.depths.size() > 1 || stage.kernel_sizes.size() > 1 ||
                            stage.expand_ratios.size() > 1;
        if (!listed) continue;
        if (i >= arch.at("d").size()) break;
        Json& depth = arch.at("d")[i++];
        depth = std::min(depth.get<int>(), stage.max_depth());
      }
    }
    return space::lower(space_, space::parse_arch_json(space_, arch.dump()), io_);
  }

  template <class Prepare>
  void run_cases(const std::string& label, const Json& cases, std::size_t limit, Prepare prepare,
                 const std::function<void(const ParityCase&)>& tell) {
    const double running_var_scale = json_.at("running_var_scale");
    for (Supernet* network : {&network_, &wide_network_}) {
      fill_parity_state(*network, running_var_scale);
      prepare(*network);
    }
    // The recorded networks were sorted in float32, where demoted channels are tied.
    wide_network_.impl().to(at::kDouble, at::kCPU);
    const std::size_t count = limit == 0 ? cases.size() : std::min(limit, cases.size());
    std::vector<std::optional<ParityCase>> results(count);
    std::size_t told = 0;
    std::mutex mutex;
    core::parallel_for(static_cast<std::int64_t>(count), threads_, [&](std::int64_t index) {
      const auto i = static_cast<std::size_t>(index);
      const at::NoGradGuard no_grad;
      ParityCase result;
      result.name = fmt::format("{} {}", label, i);
      result.problem = cost_problem(cases[i]);
      compare(cases[i], network_, at::kFloat, result);
      compare(cases[i], wide_network_, at::kDouble, result);
      const std::lock_guard lock(mutex);
      results[i] = std::move(result);
      // In the file's order, whoever is done first.
      for (; told < count && results[told]; ++told) tell(*results[told]);
    });
  }

  [[nodiscard]] std::string cost_problem(const Json& recorded) const {
    const space::NetworkPlan plan = plan_of(recorded);
    std::string problem;
    const auto compare_count = [&](const char* name, std::int64_t found) {
      if (!recorded.contains(name) || recorded[name].get<std::int64_t>() == found) return;
      problem += fmt::format("{}{}: found {}, expected {}", problem.empty() ? "" : "; ", name,
                             found, recorded[name].get<std::int64_t>());
    };
    compare_count("macs", space::macs(plan));
    compare_count("params", space::params_count(plan));
    return problem;
  }

  void compare(const Json& recorded, const Supernet& network, at::ScalarType dtype,
               ParityCase& result) const {
    const supernet::Supernet::Impl& impl = network.impl();
    const space::NetworkPlan plan = plan_of(recorded);
    const int px = plan.resolution_px;
    const std::int64_t batch = recorded.at("batch");
    const at::Tensor x = parity_images(recorded.at("input"), batch, px).to(dtype);
    const auto check = [&](const char* mode, const at::Tensor& logits) {
      const std::string error_key = fmt::format("fp32_error_{}", mode);
      const double own_error = recorded.value(error_key, 0.0);
      result.checks.push_back(
          {fmt::format("{} {}", dtype == at::kFloat ? "float32" : "float64", mode),
           difference(logits, recorded.at(fmt::format("logits_{}", mode))),
           dtype == at::kFloat ? std::max(kFloat32Tolerance, 10.0 * own_error)
                               : kFloat64Tolerance});
    };
    check("eval", network.forward_eval(x, plan, impl.stored_statistics(plan)));
    if (!recorded.contains("logits_calibrated")) return;
    const Json& calibration = recorded.at("calibration");
    std::vector<at::Tensor> batches;
    for (const auto& name : calibration.at("inputs")) {
      batches.push_back(parity_images(name, calibration.at("batch"), px).to(dtype));
    }
    check("calibrated", network.forward_eval(
                            x, plan, calibrate(plan, impl.weights(plan), batches, impl.norm_eps)));
  }

  static double difference(const at::Tensor& logits, const Json& recorded) {
    const auto wanted = recorded.get<std::vector<double>>();
    const at::Tensor found = logits.detach().to(at::kDouble).contiguous();
    if (static_cast<std::size_t>(found.numel()) != wanted.size()) {
      throw DataError(fmt::format("{} logits, recorded are {}", found.numel(), wanted.size()));
    }
    double largest = 1e-300;
    double worst = 0.0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const double distance = std::abs(found.data_ptr<double>()[i] - wanted[i]);
      largest = std::max(largest, std::abs(wanted[i]));
      // Not a number stays: it is no match.
      if (!(distance <= worst) && !std::isnan(worst)) worst = distance;
    }
    return worst / largest;
  }

  Json json_;
  space::SearchSpace space_;
  space::TaskIo io_;
  Supernet network_;
  Supernet wide_network_;  ///< the same in float64
  int threads_;
};

}  // namespace omnifit::test
