#include "supernet/ops/feature.hpp"

#include "core/error.hpp"
#include "supernet/ops/fused.hpp"
#include "supernet/ops/worker_pool.hpp"
#include "tests/support/catch.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <functional>
#include <vector>

using namespace omnifit;
using namespace omnifit::supernet;
using ops::ConvGeometry;
using ops::Feature;
using ops::Kernels;

namespace {

/// Largest difference relative to the largest magnitude.
double relative_difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor wanted = expected.to(at::kDouble);
  const double scale = std::max(wanted.abs().max().item<double>(), 1e-6);
  return (found.to(at::kDouble) - wanted).abs().max().item<double>() / scale;
}

/// Runs `network` over float32 copies with the fused kernels and over float64 copies with
/// LibTorch's operators, then compares the outputs and every gradient of a fixed random functional
/// of them.
void check_against_oracle(
    const std::vector<at::Tensor>& inputs,
    const std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&, Kernels)>&
        network) {
  std::vector<std::vector<at::Tensor>> outputs;
  std::vector<std::vector<at::Tensor>> gradients;
  for (const Kernels kernels : {Kernels::kFused, Kernels::kLibTorch}) {
    const auto dtype = kernels == Kernels::kFused ? at::kFloat : at::kDouble;
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& input : inputs) {
      leaves.push_back(input.to(dtype).detach().clone().set_requires_grad(input.requires_grad()));
    }
    outputs.push_back(network(leaves, kernels));
    at::Tensor functional = at::zeros({}, dtype);
    double phase = 0.3;
    for (const at::Tensor& output : outputs.back()) {
      const at::Tensor direction =
          at::sin(at::arange(output.numel(), at::kDouble) * 1.7 + phase).to(dtype);
      functional = functional + (output.contiguous().view(-1) * direction).sum();
      phase += 1.0;
    }
    functional.backward();
    std::vector<at::Tensor> found;
    for (const at::Tensor& leaf : leaves) {
      if (leaf.requires_grad()) found.push_back(leaf.grad());
    }
    gradients.push_back(found);
  }
  for (std::size_t i = 0; i < outputs[0].size(); ++i) {
    CAPTURE(i);
    CHECK(relative_difference(outputs[0][i], outputs[1][i]) < 2e-5);
  }
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    CAPTURE(i);
    REQUIRE(gradients[0][i].defined());
    // Batch norm cancels most of some sums; what float32 leaves of them is this exact.
    CHECK(relative_difference(gradients[0][i], gradients[1][i]) < 5e-4);
  }
}

at::Tensor random(at::IntArrayRef sizes, bool requires_grad = true) {
  return at::randn(sizes).set_requires_grad(requires_grad);
}

struct ConvCase {
  std::int64_t images, in, out, height, width;
  int kernel_size, stride;
  bool depthwise;
};

/// Convolution, batch norm with batch statistics, activation, and a second reader of the
/// statistics.
std::vector<at::Tensor> conv_norm_act(const std::vector<at::Tensor>& t, Kernels kernels,
                                      const ConvGeometry& geometry, space::Act act, bool lazy) {
  const Feature x = lazy ? Feature{t[0], t[1], t[2], act} : Feature{t[0], {}, {}};
  const ops::ConvOutput out = ops::conv(x, t[3], geometry, true, kernels);
  const ops::Affine affine =
      ops::batch_norm_affine(out.mean, out.variance, t[4], t[5], 1e-5, kernels);
  const at::Tensor y = ops::add_shortcut({out.raw, affine.scale, affine.shift, act}, {}, kernels);
  return {y, out.mean, out.variance};
}

}  // namespace

TEST_CASE("Fused convolutions with batch norm equal LibTorch's, gradients included",
          "[supernet][property]") {
  const ConvCase c =
      GENERATE(ConvCase{3, 16, 24, 5, 5, 1, 1, false}, ConvCase{2, 24, 16, 8, 8, 1, 1, false},
               ConvCase{2, 8, 136, 3, 7, 1, 1, false}, ConvCase{1, 288, 48, 4, 4, 1, 1, false},
               ConvCase{40, 40, 72, 6, 6, 1, 1, false}, ConvCase{2, 16, 16, 9, 9, 3, 1, true},
               ConvCase{3, 24, 24, 8, 8, 5, 1, true}, ConvCase{2, 40, 40, 4, 4, 7, 1, true},
               ConvCase{3, 24, 24, 7, 9, 3, 2, true}, ConvCase{2, 8, 8, 16, 16, 5, 2, true},
               ConvCase{2, 56, 56, 6, 5, 7, 2, true}, ConvCase{24, 16, 16, 2, 2, 7, 2, true},
               ConvCase{30, 16, 16, 1, 1, 5, 1, true});
  const auto act =
      GENERATE(space::Act::kNone, space::Act::kRelu, space::Act::kRelu6, space::Act::kHSwish);
  const bool lazy = GENERATE(true, false);
  CAPTURE(c.in, c.out, c.height, c.width, c.kernel_size, c.stride, c.depthwise, lazy);
  CAPTURE(static_cast<int>(act));
  const ops::KernelThreads threads(lazy ? 3 : 1);
  at::manual_seed(static_cast<std::uint64_t>(c.in * 1000 + c.kernel_size * 10 + c.stride));
  const ConvGeometry geometry{c.kernel_size, c.stride, c.depthwise};
  const at::Tensor weight = c.depthwise ? random({c.out, 1, c.kernel_size, c.kernel_size})
                                        : random({c.out, c.in, c.kernel_size, c.kernel_size});
  const at::Tensor x = random({c.images, c.in, c.height, c.width});
  REQUIRE(ops::fused::can_conv({x, {}, {}}, weight, geometry));
  check_against_oracle(
      {x, random({c.in}), random({c.in}), weight, random({c.out}), random({c.out})},
      [&](const std::vector<at::Tensor>& t, Kernels kernels) {
        auto outputs = conv_norm_act(t, kernels, geometry, act, lazy);
        // Every leaf needs a gradient, also where the input is not lazy.
        outputs.push_back(t[1] * t[2]);
        return outputs;
      });
}

TEST_CASE("Fused convolutions of images equal LibTorch's", "[supernet][property]") {
  const std::int64_t channels = GENERATE(1, 3);
  const int stride = GENERATE(1, 2);
  const std::int64_t px = GENERATE(7, 16);
  CAPTURE(channels, stride, px);
  at::manual_seed(5);
  const ConvGeometry geometry{3, stride, false};
  check_against_oracle({random({4, channels, px, px}, false), random({1}), random({1}),
                        random({24, channels, 3, 3}), random({24}), random({24})},
                       [&](const std::vector<at::Tensor>& t, Kernels kernels) {
                         auto outputs =
                             conv_norm_act(t, kernels, geometry, space::Act::kHSwish, false);
                         outputs.push_back(t[1] * t[2]);
                         return outputs;
                       });
}

TEST_CASE("Fused squeeze-excite, shortcut and pool equal LibTorch's", "[supernet][property]") {
  const auto act = GENERATE(space::Act::kNone, space::Act::kRelu, space::Act::kHSwish);
  const std::int64_t channels = GENERATE(8, 40, 64);
  CAPTURE(static_cast<int>(act), channels);
  at::manual_seed(9);
  check_against_oracle(
      {random({5, channels, 4, 3}), random({channels}), random({channels}),
       random({16, channels, 1, 1}), random({16}), random({channels, 16, 1, 1}), random({channels}),
       random({5, channels, 4, 3})},
      [&](const std::vector<at::Tensor>& t, Kernels kernels) -> std::vector<at::Tensor> {
        const Feature x{t[0], t[1], t[2], act};
        const Feature gated = ops::squeeze_excite(x, {t[3], t[4], t[5], t[6]}, kernels);
        const at::Tensor sum = ops::add_shortcut({gated.raw, t[2], t[1]}, t[7], kernels);
        return {gated.raw, sum, ops::global_pool(x, kernels)};
      });
}

TEST_CASE("Fused kernels leave what they cannot do to LibTorch", "[supernet][unit]") {
  const Feature x{at::randn({2, 12, 4, 4}), {}, {}};
  CHECK_FALSE(ops::fused::can_conv(x, at::randn({16, 12, 1, 1}), {1, 1, false}));
  CHECK_FALSE(ops::fused::can_conv({at::randn({2, 16, 4, 4}, at::kDouble), {}, {}},
                                   at::randn({16, 16, 1, 1}, at::kDouble), {1, 1, false}));
  CHECK_FALSE(ops::fused::can_conv({random({2, 16, 4, 4}), {}, {}}, at::randn({16, 16, 3, 3}),
                                   {3, 1, false}));
  CHECK_FALSE(ops::fused::can_conv({at::randn({2, 16, 4, 4}), {}, {}}, at::randn({16, 1, 9, 9}),
                                   {9, 1, true}));
  // 12 channels are no multiple of 8: LibTorch's operators run, with the same meaning.
  const at::Tensor weight = at::randn({16, 12, 1, 1});
  CHECK(relative_difference(ops::conv(x, weight, {1, 1, false}, false, Kernels::kFused).raw,
                            at::conv2d(x.raw, weight)) < 1e-6);
}

TEST_CASE("Kernels never read beyond a tensor of another size", "[supernet][error]") {
  const Feature x{at::randn({2, 16, 4, 4}), {}, {}};
  for (const Kernels kernels : {Kernels::kFused, Kernels::kLibTorch}) {
    for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{
             {2, 8, 4, 4}, {2, 16, 4, 2}, {1, 16, 4, 4}, {2, 1, 4, 4}, {2, 16, 1, 1}}) {
      CHECK_THROWS_AS(ops::add_shortcut(x, at::randn(sizes), kernels), BugError);
    }
    CHECK_NOTHROW(ops::add_shortcut(x, at::randn({2, 16, 4, 4}), kernels));
  }
  const auto conv = [&](const std::vector<std::int64_t>& sizes, const ConvGeometry& geometry) {
    ops::conv(x, at::randn(sizes), geometry, false, Kernels::kFused);
  };
  CHECK_NOTHROW(conv({16, 16, 1, 1}, {1, 1, false}));
  CHECK_NOTHROW(conv({16, 1, 3, 3}, {3, 1, true}));
  CHECK_THROWS_AS(conv({16, 8, 1, 1}, {1, 1, false}), BugError);
  CHECK_THROWS_AS(conv({8, 1, 3, 3}, {3, 1, true}), BugError);
  CHECK_THROWS_AS(conv({16, 1, 3, 3}, {5, 1, true}), BugError);
  const Feature scaled{x.raw, at::randn({8}), at::randn({16})};
  CHECK_THROWS_AS(ops::add_shortcut(scaled, {}, Kernels::kFused), BugError);
}

TEST_CASE("Fused kernels give the same bits twice", "[supernet][property]") {
  const ops::KernelThreads threads(3);
  at::manual_seed(3);
  const at::Tensor x = random({16, 24, 8, 8});
  const at::Tensor weight = random({24, 1, 5, 5});
  std::vector<at::Tensor> gradients;
  for (int run = 0; run < 2; ++run) {
    const ops::ConvOutput out = ops::conv({x, {}, {}}, weight, {5, 1, true}, true, Kernels::kFused);
    (out.raw.sum() + (out.mean * out.variance).sum()).backward();
    gradients.push_back(weight.grad().clone());
    weight.mutable_grad().reset();
  }
  CHECK(at::equal(gradients[0], gradients[1]));
}
