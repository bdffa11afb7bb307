#include "supernet/network.hpp"

#include "core/error.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "supernet/slot_naming.hpp"
#include "supernet/static_network.hpp"
#include "supernet/static_parts.hpp"
#include "tests/supernet/network_support.hpp"
#include "tests/supernet/reference_spaces.hpp"

#include <torch/csrc/autograd/grad_mode.h>

#include <map>

using namespace omnifit;
using namespace omnifit::supernet;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Statistics that differ from channel to channel.
BnStats calibrated(const Supernet& network, const space::NetworkPlan& plan) {
  const auto& impl = network.impl();
  return calibrate(plan, impl.weights(plan),
                   {test::random_images(6, network.io().in_channels, plan.resolution_px, 1),
                    test::random_images(3, network.io().in_channels, plan.resolution_px, 2)},
                   impl.norm_eps);
}

struct Case {
  const char* space;
  space::TaskIo io;
};

}  // namespace

TEST_CASE("Standalone networks equal the supernet under the plan", "[supernet][property]") {
  const Case c = GENERATE(Case{"tiny", {3, 5}}, Case{"mbv3_32px", {1, 10}});
  const space::SearchSpace space = test::shipped_space(c.space);
  Supernet network(space, c.io, 7);
  test::disturb(network);
  core::Rng rng = core::Rng::stream(11, core::Purpose::kTest);
  for (int i = 0; i < 12; ++i) {
    const space::Arch arch = i == 0   ? space::largest(space)
                             : i == 1 ? space::smallest(space)
                                      : space::sample(space, rng);
    CAPTURE(space::to_text(space, arch));
    const space::NetworkPlan plan = space::lower(space, arch, c.io);
    const BnStats stats = calibrated(network, plan);
    const at::Tensor x = test::random_images(4, c.io.in_channels, plan.resolution_px, 3);
    const at::Tensor expected = network.forward_eval(x, plan, stats);
    REQUIRE(expected.sizes() == at::IntArrayRef({4, c.io.num_classes}));
    StaticNetwork folded(
        StaticParts{plan, fold(network.impl().weights(plan), stats, network.impl().norm_eps)});
    CHECK(test::relative_difference(folded.forward(x, ops::Kernels::kFused), expected) < 1e-4);
    CHECK(test::relative_difference(folded.forward(x, ops::Kernels::kLibTorch), expected) < 1e-4);
    const formats::FoldedNetwork plain = folded.folded();
    REQUIRE_NOTHROW(plain.validate());
    CHECK(at::equal(StaticNetwork(plain).forward(x), folded.forward(x)));
  }
}

TEST_CASE("200 subnets of every shipped space run alone as in the supernet",
          "[supernet][property]") {
  // Small images, one of them odd after the strides; stored statistics, so that one image will do.
  struct Shipped {
    const char* space;
    const char* resolutions;
  };
  const Shipped shipped =
      GENERATE(Shipped{"tiny", "[12, 16]"}, Shipped{"mbv3_32px", "[24, 28, 32]"},
               Shipped{"ofa_mbv3", "[32, 40]"}, Shipped{"ofa_proxyless", "[32, 40]"},
               Shipped{"ofa_proxyless_google", "[32, 40]"}, Shipped{"ofa_resnet50", "[32, 40]"});
  const at::NoGradGuard no_grad;
  const space::SearchSpace space =
      test::reference_space(shipped.space, {std::string("resolutions=") + shipped.resolutions});
  const space::TaskIo io{3, 10};
  Supernet network(space, io, 7);
  test::disturb(network);
  const Supernet::Impl& impl = network.impl();
  core::Rng rng = core::Rng::stream(13, core::Purpose::kTest);
  std::map<int, at::Tensor> images;
  for (const int px : space.resolutions()) images[px] = test::random_images(1, 3, px, 3);
  for (int i = 0; i < 200; ++i) {
    const space::Arch arch = space::sample(space, rng);
    CAPTURE(space::to_text(space, arch));
    const space::NetworkPlan plan = space::lower(space, arch, io);
    const BnStats stats = impl.stored_statistics(plan);
    const at::Tensor& x = images.at(plan.resolution_px);
    const at::Tensor expected = network.forward_eval(x, plan, stats);
    const StaticNetwork folded(StaticParts{plan, fold(impl.weights(plan), stats, impl.norm_eps)});
    const ops::Kernels kernels = i % 2 == 0 ? ops::Kernels::kFused : ops::Kernels::kLibTorch;
    REQUIRE(test::relative_difference(folded.forward(x, kernels), expected) < 1e-4);
  }
}

TEST_CASE("An extracted state has the names of a static network", "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("ofa_resnet50");
  const space::Arch arch = space::parse_arch_json(
      space,
      R"({"d": [0, 0, 0, 0, 0], "e": [.2, .2, .2, .2, .2, .2, .2, .2, .2, .2, .2, .2, .2, .2,)"
      R"( .2, .2, .2, .2], "w": [0, 0, 0, 0, 0, 0], "image_size": 128})");
  const space::NetworkPlan plan = space::lower(space, arch, {3, 10});
  std::vector<std::string> names;
  for (const space::Slot& slot : space::slots(plan, space::slots(space, {3, 10}))) {
    for (const TensorEntry& entry : tensor_entries(slot)) {
      if (entry.name.ends_with("weight") && entry.shape.size() > 1) names.push_back(entry.name);
    }
  }
  // The stem lost its residual layer, each stage its optional blocks: numbers close up.
  CHECK(names[0] == "input_stem.0.conv.weight");
  CHECK(names[1] == "input_stem.1.conv.weight");
  CHECK(names[2] == "blocks.0.conv1.conv.weight");
  CHECK(names[5] == "blocks.0.downsample.conv.weight");
  CHECK(names[9] == "blocks.2.conv1.conv.weight");
  CHECK(names.back() == "classifier.linear.weight");
  CHECK(names.size() == 2 + 10 * 3 + 4 + 1);
}

TEST_CASE("A space of single choices runs as the elastic one does", "[supernet][property]") {
  const char* fixed = R"(
name: tiny_fixed
version: 1
family: mbconv
resolutions: [16]
dropout: 0.0
stem: {name: first_conv, width: 8, kernel_size: 3, stride: 2, act: h_swish}
stages:
  - {width: 8, stride: 1, act: relu, depth: [1], kernel_size: [3], expand_ratio: [1]}
  - {width: 8, stride: 1, act: relu, depth: [2], kernel_size: [3], expand_ratio: [2]}
  - {width: 16, stride: 2, act: h_swish, squeeze_excite: true, depth: [1], kernel_size: [3], expand_ratio: [2]}
head:
  - {name: final_expand_layer, width: 32, kernel_size: 1, act: h_swish}
  - {name: feature_mix_layer, width: 32, kernel_size: 1, act: h_swish, batch_norm: false, after_pool: true}
)";
  const space::SearchSpace elastic_space = test::shipped_space("tiny");
  const space::SearchSpace fixed_space = test::space_from(fixed);
  const space::TaskIo io{3, 5};
  Supernet elastic(elastic_space, io, 1);
  test::disturb(elastic);
  const Supernet single(fixed_space, io, 2);
  const space::NetworkPlan fixed_plan = space::lower(fixed_space, space::largest(fixed_space), io);
  space::Subspace wanted = space::Subspace::all(elastic_space);
  std::vector<std::uint8_t> choices;
  for (const space::Gene& gene : elastic_space.genes()) {
    // The fixed space's depth 2 and resolution 16 are the largest, its kernel the smallest choice.
    const bool largest = gene.axis == space::Axis::kDepth ||
                         gene.axis == space::Axis::kResolution ||
                         (gene.axis == space::Axis::kExpandRatio && gene.choices.back() == 2.0);
    choices.push_back(largest ? static_cast<std::uint8_t>(gene.choices.size() - 1) : 0);
  }
  const space::NetworkPlan plan =
      space::lower(elastic_space, space::Arch(elastic_space, choices), io);
  for (std::size_t i = 0; i < plan.units.size(); ++i) {
    REQUIRE(plan.units[i].spec == fixed_plan.units[i].spec);
  }
  const at::NoGradGuard no_grad;
  const auto sliced = elastic.impl().weights(plan);
  const auto target = single.impl().weights(fixed_plan);
  const auto copy = [](const at::Tensor& to, const at::Tensor& from) {
    REQUIRE(to.defined() == from.defined());
    if (to.defined()) to.detach().copy_(from);
  };
  const auto copy_conv = [&](const ConvWeights& to, const ConvWeights& from) {
    copy(to.weight, from.weight);
    copy(to.bias, from.bias);
    copy(to.norm_weight, from.norm_weight);
    copy(to.norm_bias, from.norm_bias);
  };
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (const auto* conv = std::get_if<ConvWeights>(&target[i])) {
      copy_conv(*conv, std::get<ConvWeights>(sliced[i]));
    } else if (const auto* block = std::get_if<MbConvWeights>(&target[i])) {
      const auto& from = std::get<MbConvWeights>(sliced[i]);
      copy_conv(block->expand, from.expand);
      copy_conv(block->depthwise, from.depthwise);
      copy_conv(block->project, from.project);
      copy(block->squeeze_excite.reduce_weight, from.squeeze_excite.reduce_weight);
      copy(block->squeeze_excite.reduce_bias, from.squeeze_excite.reduce_bias);
      copy(block->squeeze_excite.expand_weight, from.squeeze_excite.expand_weight);
      copy(block->squeeze_excite.expand_bias, from.squeeze_excite.expand_bias);
    } else if (const auto* linear = std::get_if<LinearWeights>(&target[i])) {
      copy(linear->weight, std::get<LinearWeights>(sliced[i]).weight);
      copy(linear->bias, std::get<LinearWeights>(sliced[i]).bias);
    }
  }
  const at::Tensor x = test::random_images(5, 3, 16, 4);
  CHECK(at::equal(single.forward_train(x, fixed_plan), elastic.forward_train(x, plan)));
}

TEST_CASE("Training mode equals LibTorch's operators in float64, every gradient included",
          "[supernet][property]") {
  const space::SearchSpace space =
      GENERATE(test::shipped_space("mbv3_32px"), test::small_bottleneck_space());
  const space::TaskIo io{3, 10};
  Supernet fused(space, io, 7);
  Supernet oracle(space, io, 7);
  test::disturb(fused);
  test::disturb(oracle);
  oracle.impl().to(at::kDouble, at::kCPU);
  core::Rng rng = core::Rng::stream(5, core::Purpose::kTest);
  const space::NetworkPlan plan = space::lower(space, space::sample(space, rng), io);
  const at::Tensor x = test::random_images(24, 3, plan.resolution_px, 8);
  const at::Tensor direction = test::random_images(24, 1, 4, 9).view({24, 16}).narrow(1, 0, 10);
  const at::Tensor logits = fused.forward_train(x, plan);
  const at::Tensor expected = oracle.forward_train(x.to(at::kDouble), plan);
  CHECK(test::relative_difference(logits, expected) < 1e-3);
  (logits * direction).sum().backward();
  (expected * direction.to(at::kDouble)).sum().backward();
  int compared = 0;
  for (std::size_t i = 0; i < fused.state().size(); ++i) {
    const auto& [name, tensor] = fused.state()[i];
    const at::Tensor& wanted = oracle.state()[i].second.grad();
    CAPTURE(name);
    REQUIRE(tensor.grad().defined() == wanted.defined());
    // Batch norm removes a bias in front of it: such gradients are rounding alone.
    if (!wanted.defined() || wanted.abs().max().item<double>() < 1e-6) continue;
    CHECK(test::relative_difference(tensor.grad(), wanted) < 2e-2);
    const double angle = (tensor.grad().to(at::kDouble) * wanted).sum().item<double>() /
                         (tensor.grad().to(at::kDouble).norm() * wanted.norm()).item<double>();
    CHECK(angle > 0.9999);
    ++compared;
  }
  // Every weight and bias that the plan uses, less those that batch norm cancels.
  CHECK(compared > 30);
}

TEST_CASE("Calibration averages each batch's biased statistics by images", "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  Supernet network(space, {3, 5}, 3);
  test::disturb(network);
  const space::NetworkPlan plan = space::lower(space, space::largest(space), {3, 5});
  const std::vector<at::Tensor> batches{test::random_images(6, 3, 16, 1),
                                        test::random_images(2, 3, 16, 2)};
  const BnStats stats =
      calibrate(plan, network.impl().weights(plan), batches, network.impl().norm_eps);
  // Oracle for the first two batch norms: stem, then the fixed block's depthwise convolution.
  const auto& state = network.state();
  const auto tensor = [&](const std::string& name) {
    return std::find_if(state.begin(), state.end(), [&](const auto& e) { return e.first == name; })
        ->second.detach();
  };
  at::Tensor stem_mean = at::zeros({8});
  at::Tensor depthwise_variance = at::zeros({8});
  for (const at::Tensor& batch : batches) {
    const double share = static_cast<double>(batch.size(0)) / 8.0;
    const at::Tensor z = at::conv2d(batch, tensor("first_conv.conv.weight"), {}, 2, 1);
    stem_mean += share * z.mean({0, 2, 3});
    const at::Tensor a = at::hardswish(at::batch_norm(z, tensor("first_conv.bn.weight"),
                                                      tensor("first_conv.bn.bias"), {}, {}, true,
                                                      0.1, network.impl().norm_eps, false));
    const at::Tensor d =
        at::conv2d(a, tensor("blocks.0.conv.depth_conv.conv.weight"), {}, 1, 1, 1, 8);
    depthwise_variance += share * d.var({0, 2, 3}, /*unbiased=*/false);
  }
  CHECK(test::relative_difference(stats.entries[0].mean, stem_mean) < 1e-5);
  CHECK(test::relative_difference(stats.entries[1].variance, depthwise_variance) < 1e-5);
}

TEST_CASE("Sorting channels keeps the full network and each group of channels",
          "[supernet][property]") {
  const int stage = GENERATE(0, 1, 2);
  const space::SearchSpace space = test::shipped_space("mbv3_32px");
  const space::TaskIo io{3, 10};
  Supernet network(space, io, 5);
  test::disturb(network);
  network.impl().to(at::kDouble, at::kCPU);
  const space::NetworkPlan plan = space::lower(space, space::largest(space), io);
  const BnStats stats = network.impl().stored_statistics(plan);
  const at::Tensor x = test::random_images(3, 3, 32, 6).to(at::kDouble);
  const at::Tensor before = network.forward_eval(x, plan, stats);
  const auto importance = [&](std::size_t slot) {
    return network.impl().tensors[slot].project.weight.detach().abs().sum(at::IntArrayRef{0, 2, 3});
  };
  const at::Tensor unsorted = importance(2);
  const auto widths = network.slots()[2].mid_channels;
  network.sort_channels(stage);
  CHECK(test::relative_difference(network.forward_eval(x, plan, stats), before) < 1e-12);
  // The leading channels of the group that must stay together are the same set as before.
  const at::Tensor sorted = importance(2);
  CHECK_FALSE(at::equal(sorted, unsorted));
  const std::int64_t kept = widths[widths.size() - 1 - static_cast<std::size_t>(stage)];
  CHECK(at::allclose(std::get<0>(at::sort(sorted.narrow(0, 0, kept))),
                     std::get<0>(at::sort(unsorted.narrow(0, 0, kept)))));
  // Within the innermost group they descend.
  const at::Tensor leading = sorted.narrow(0, 0, kept);
  CHECK((leading.narrow(0, 0, kept - 1) >= leading.narrow(0, 1, kept - 1)).all().item<bool>());
}

TEST_CASE("Sorting counts expand ratios, also where two of them give one width",
          "[supernet][golden]") {
  const int stage = GENERATE(0, 1, 2);
  // Eight channels times 3, 3.2, 5.8 and 6: 24, 24, 48 and 48.
  const std::string ratios = GENERATE("3, 3.2, 6", "3, 5.8, 6");
  CAPTURE(stage, ratios);
  const space::SearchSpace space = test::space_from(fmt::format(R"(
name: ties
version: 1
family: mbconv
resolutions: [16]
stem: {{name: first_conv, width: 8, kernel_size: 3, stride: 2, act: relu}}
stages:
  - {{width: 8, stride: 1, act: relu, depth: [1], kernel_size: [3], expand_ratio: [{}]}}
head:
  - {{name: final_expand_layer, width: 16, kernel_size: 1, act: relu}}
)",
                                                                ratios));
  Supernet network(space, {3, 5}, 5);
  test::disturb(network);
  const SlotTensors& block = network.impl().tensors[1];
  const at::Tensor bias = block.depthwise.norm.bias.detach().clone();
  // The reference's steps, written out: over the ratios from the largest on.
  at::Tensor importance = block.project.weight.detach().abs().sum(at::IntArrayRef{0, 2, 3});
  const std::vector<int> widths =
      ratios == "3, 3.2, 6" ? std::vector{48, 24, 24} : std::vector{48, 48, 24};
  REQUIRE(importance.size(0) == 48);
  float base = -1e5F * 3;
  int right = 48;
  for (int i = 0; i <= stage; ++i) {
    for (int c = widths[static_cast<std::size_t>(i)]; c < right; ++c) {
      importance.data_ptr<float>()[c] += base;
    }
    base += 1e5F;
    right = widths[static_cast<std::size_t>(i)];
  }
  const at::Tensor order = at::argsort(importance, 0, /*descending=*/true);
  network.sort_channels(stage);
  CHECK(at::equal(block.depthwise.norm.bias.detach(), bias.index_select(0, order)));
}

TEST_CASE("The same seed gives the same weights, another one does not", "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Supernet a(space, {3, 5}, 1);
  const Supernet b(space, {3, 5}, 1);
  const Supernet c(space, {3, 5}, 2);
  for (std::size_t i = 0; i < a.state().size(); ++i) {
    CHECK(at::equal(a.state()[i].second, b.state()[i].second));
  }
  CHECK_FALSE(at::equal(a.state()[0].second, c.state()[0].second));
}

TEST_CASE("State names are the reference's", "[supernet][golden]") {
  const Supernet network(test::shipped_space("tiny"), {3, 5}, 1);
  std::string names;
  for (const auto& [name, tensor] : network.state()) {
    if (name.starts_with("blocks.3.") || name.starts_with("blocks.0.conv.depth") ||
        name.starts_with("first") || name.starts_with("classifier")) {
      names += fmt::format("{} [{}]\n", name, fmt::join(tensor.sizes().vec(), ","));
    }
  }
  CHECK(names == R"(first_conv.conv.weight [8,3,3,3]
first_conv.bn.weight [8]
first_conv.bn.bias [8]
first_conv.bn.running_mean [8]
first_conv.bn.running_var [8]
first_conv.bn.num_batches_tracked []
blocks.0.conv.depth_conv.conv.weight [8,1,3,3]
blocks.0.conv.depth_conv.bn.weight [8]
blocks.0.conv.depth_conv.bn.bias [8]
blocks.0.conv.depth_conv.bn.running_mean [8]
blocks.0.conv.depth_conv.bn.running_var [8]
blocks.0.conv.depth_conv.bn.num_batches_tracked []
blocks.3.conv.inverted_bottleneck.conv.conv.weight [24,8,1,1]
blocks.3.conv.inverted_bottleneck.bn.bn.weight [24]
blocks.3.conv.inverted_bottleneck.bn.bn.bias [24]
blocks.3.conv.inverted_bottleneck.bn.bn.running_mean [24]
blocks.3.conv.inverted_bottleneck.bn.bn.running_var [24]
blocks.3.conv.inverted_bottleneck.bn.bn.num_batches_tracked []
blocks.3.conv.depth_conv.conv.5to3_matrix [9,9]
blocks.3.conv.depth_conv.conv.conv.weight [24,1,5,5]
blocks.3.conv.depth_conv.bn.bn.weight [24]
blocks.3.conv.depth_conv.bn.bn.bias [24]
blocks.3.conv.depth_conv.bn.bn.running_mean [24]
blocks.3.conv.depth_conv.bn.bn.running_var [24]
blocks.3.conv.depth_conv.bn.bn.num_batches_tracked []
blocks.3.conv.depth_conv.se.fc.reduce.weight [8,24,1,1]
blocks.3.conv.depth_conv.se.fc.reduce.bias [8]
blocks.3.conv.depth_conv.se.fc.expand.weight [24,8,1,1]
blocks.3.conv.depth_conv.se.fc.expand.bias [24]
blocks.3.conv.point_linear.conv.conv.weight [16,24,1,1]
blocks.3.conv.point_linear.bn.bn.weight [16]
blocks.3.conv.point_linear.bn.bn.bias [16]
blocks.3.conv.point_linear.bn.bn.running_mean [16]
blocks.3.conv.point_linear.bn.bn.running_var [16]
blocks.3.conv.point_linear.bn.bn.num_batches_tracked []
classifier.linear.weight [5,32]
classifier.linear.bias [5]
)");
}

TEST_CASE("Imported weights must fit exactly", "[supernet][error]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  Supernet network(space, {3, 5}, 1);
  formats::TensorFile file = Supernet(space, {3, 5}, 9).export_state();
  network.import_state(file, "weights.safetensors");
  CHECK(at::equal(network.state()[0].second, Supernet(space, {3, 5}, 9).state()[0].second));

  file.tensors[0].name = "stem.weight";
  file.tensors[1].shape = {4};
  file.tensors[1].data.resize(16);
  CHECK_THROWS_MATCHES(
      network.import_state(file, "weights.safetensors"), DataError,
      Catch::Matchers::Message(
          "weights.safetensors: 'first_conv.conv.weight' is missing; 'first_conv.bn.weight' has "
          "shape [4], expected [8]; 'stem.weight' does not belong to this network"));
}
