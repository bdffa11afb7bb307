#include "core/file_io.hpp"
#include "space/lower.hpp"
#include "supernet/network.hpp"
#include "tests/supernet/network_support.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

using namespace omnifit;
using namespace omnifit::supernet;

namespace {

/// MobileNetV3 as the reference's OFAMobileNetV3 builds it, with the image sizes the recorded cases
/// use.
constexpr const char* kSpace = R"(
name: ofa_mbv3
version: 1
family: mbconv
resolutions: [128, 160, 192, 224]
dropout: 0.0
stem: {name: first_conv, width: 16, kernel_size: 3, stride: 2, act: h_swish}
stages:
  - {width: 16, stride: 1, act: relu, depth: [1], kernel_size: [3], expand_ratio: [1]}
  - {width: 24, stride: 2, act: relu, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 40, stride: 2, act: relu, squeeze_excite: true, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 80, stride: 2, act: h_swish, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 112, stride: 1, act: h_swish, squeeze_excite: true, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 160, stride: 2, act: h_swish, squeeze_excite: true, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
head:
  - {name: final_expand_layer, width: 960, kernel_size: 1, act: h_swish}
  - {name: feature_mix_layer, width: 1280, kernel_size: 1, act: h_swish, batch_norm: false, after_pool: true}
)";

/// The values the data set's README defines from a name alone.
class NamedValues {
 public:
  explicit NamedValues(const std::string& name) {
    for (const char c : name) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
  }
  [[nodiscard]] double operator()(std::uint64_t i) const {
    std::uint64_t z = hash_ + i + 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    z = z ^ (z >> 31U);
    return 2.0 * (static_cast<double>(z >> 11U) * 0x1p-53) - 1.0;
  }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
};

void fill_by_name(const Supernet& network, double running_var_scale) {
  for (const auto& [name, tensor] : network.state()) {
    if (!tensor.is_floating_point()) continue;
    at::Tensor values = tensor.detach();
    const NamedValues u(name);
    const auto shape = values.sizes();
    double fan_in = 1.0;
    for (std::size_t d = 1; d < shape.size(); ++d) fan_in *= static_cast<double>(shape[d]);
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const double v = u(static_cast<std::uint64_t>(i));
      double value = v * std::sqrt(3.0 / fan_in);
      if (name.ends_with("running_mean")) {
        value = 0.1 * v;
      } else if (name.ends_with("running_var")) {
        value = running_var_scale * (1.0 + 0.5 * v);
      } else if (name.ends_with("_matrix")) {
        value = (i % (shape[0] + 1) == 0 ? 1.0 : 0.0) + 0.1 * v;
      } else if (shape.size() == 1) {
        value = name.ends_with("weight") ? 1.0 + 0.25 * v : 0.1 * v;
      }
      values.data_ptr<float>()[i] = static_cast<float>(value);
    }
  }
}

at::Tensor named_input(const std::string& name, std::int64_t batch, std::int64_t px) {
  at::Tensor input = at::empty({batch, 3, px, px}, at::kFloat);
  const NamedValues u(name);
  for (std::int64_t i = 0; i < input.numel(); ++i) {
    input.data_ptr<float>()[i] = static_cast<float>(u(static_cast<std::uint64_t>(i)));
  }
  return input;
}

at::Tensor logits_of(const nlohmann::json& values, std::int64_t batch) {
  const auto plain = values.get<std::vector<double>>();
  return at::tensor(plain, at::kDouble).view({batch, -1});
}

space::NetworkPlan plan_of(const space::SearchSpace& space, const nlohmann::json& test_case) {
  nlohmann::json arch = test_case["arch"];
  arch["image_size"] = test_case["image_size"];
  return space::lower(space, space::parse_arch_json(space, arch.dump()), {3, 10});
}

}  // namespace

TEST_CASE("The supernet computes what the reference implementation computes",
          "[supernet][parity]") {
  OMNIFIT_REQUIRE_DATA("ofa_parity/ofa_mbv3.json");
  const auto file = nlohmann::json::parse(core::read_text_file(
      std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_parity/ofa_mbv3.json"));
  const space::SearchSpace space = test::space_from(kSpace);
  Supernet network(space, {3, 10}, 1);
  REQUIRE(network.state().size() == file["tensors"].size());
  for (std::size_t i = 0; i < network.state().size(); ++i) {
    CHECK(network.state()[i].first == file["tensors"][i]["name"].get<std::string>());
    CHECK(network.state()[i].second.sizes().vec() ==
          file["tensors"][i]["shape"].get<std::vector<std::int64_t>>());
  }
  fill_by_name(network, file["running_var_scale"].get<double>());
  const Supernet::Impl& impl = network.impl();

  SECTION("float32, with stored and with calibrated statistics") {
    for (const std::size_t index : {1U, 2U, 3U}) {
      const auto& test_case = file["cases"][index];
      CAPTURE(index);
      const space::NetworkPlan plan = plan_of(space, test_case);
      const std::int64_t batch = test_case["batch"];
      const at::Tensor x = named_input(test_case["input"], batch, plan.resolution_px);
      const auto tolerance = [&](const char* error) {
        return std::max(1e-4, 10.0 * test_case[error].get<double>());
      };
      CHECK(test::relative_difference(network.forward_eval(x, plan, impl.stored_statistics(plan)),
                                      logits_of(test_case["logits_eval"], batch)) <
            tolerance("fp32_error_eval"));
      std::vector<at::Tensor> batches;
      for (const auto& name : test_case["calibration"]["inputs"]) {
        batches.push_back(named_input(name, test_case["calibration"]["batch"], plan.resolution_px));
      }
      const BnStats stats = calibrate(plan, impl.weights(plan), batches, impl.norm_eps);
      CHECK(test::relative_difference(network.forward_eval(x, plan, stats),
                                      logits_of(test_case["logits_calibrated"], batch)) <
            tolerance("fp32_error_calibrated"));
    }
  }

  SECTION("float64, and after sorting the channels") {
    network.impl().to(at::kDouble, at::kCPU);
    const auto check = [&](const nlohmann::json& test_case) {
      const space::NetworkPlan plan = plan_of(space, test_case);
      const std::int64_t batch = test_case["batch"];
      const at::Tensor x =
          named_input(test_case["input"], batch, plan.resolution_px).to(at::kDouble);
      CHECK(test::relative_difference(network.forward_eval(x, plan, impl.stored_statistics(plan)),
                                      logits_of(test_case["logits_eval"], batch)) < 1e-8);
    };
    check(file["cases"][2]);
    const auto& sorted = file["channel_sorted"][0];
    REQUIRE(sorted["expand_ratio_stage"].get<int>() == 0);
    network.sort_channels(0);
    check(sorted["cases"][0]);
  }
}
