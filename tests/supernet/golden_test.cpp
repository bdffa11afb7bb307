#include "space/lower.hpp"
#include "supernet/loss.hpp"
#include "supernet/network.hpp"
#include "supernet/sgd.hpp"
#include "tests/supernet/network_support.hpp"
#include "tests/supernet/reference_spaces.hpp"
#include "tests/supernet/reference_values.hpp"

#include <torch/csrc/autograd/grad_mode.h>

#include <map>

using namespace omnifit;
using namespace omnifit::supernet;

// Values the reference implementation gave for weights and images that follow from their names, in
// float64 unless said otherwise.
namespace {

constexpr space::TaskIo kImageNet{3, 1000};

/// A network in float64 with the golden weights.
Supernet golden_network(const space::SearchSpace& space) {
  Supernet network(space, kImageNet, 1);
  test::fill_golden_state(network);
  network.impl().to(at::kDouble, at::kCPU);
  return network;
}

space::SearchSpace mbv3_at_64(const std::string& width_mult = "1.0") {
  return test::reference_space("ofa_mbv3",
                               {"resolutions=[64]", "dropout=0.0", "width_mult=" + width_mult});
}

space::SearchSpace resnet_at_64() {
  return test::reference_space("ofa_resnet50", {"resolutions=[64]"});
}

at::Tensor golden_input(const std::string& name, std::int64_t count) {
  return test::golden_images(name, count, 64).to(at::kDouble);
}

at::Tensor state_tensor(const Supernet& network, const std::string& name) {
  const auto& state = network.state();
  const auto found = std::ranges::find(state, name, &std::pair<std::string, at::Tensor>::first);
  REQUIRE(found != state.end());
  return found->second;
}

double l2(const at::Tensor& tensor) { return tensor.detach().norm().item<double>(); }
double sum_of(const Supernet& network, const std::string& name) {
  return state_tensor(network, name).detach().sum().item<double>();
}

std::vector<double> leading(const at::Tensor& values, std::int64_t count) {
  const at::Tensor head = values.detach().flatten().narrow(0, 0, count).contiguous();
  return {head.data_ptr<double>(), head.data_ptr<double>() + count};
}

void check_near(const std::vector<double>& found, const std::vector<double>& expected,
                double tolerance) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i] == Approx(expected[i]).epsilon(tolerance).margin(tolerance));
  }
}

struct Forward {
  space::Arch arch;
  std::vector<double> logits;  ///< the first three, then the mean and the norm of all
};

void check_forward(const space::SearchSpace& space, const std::vector<Forward>& table) {
  const Supernet network = golden_network(space);
  const at::Tensor x = golden_input("input", 2);
  for (const Forward& golden : table) {
    CAPTURE(space::to_text(space, golden.arch));
    const space::NetworkPlan plan = space::lower(space, golden.arch, kImageNet);
    const at::Tensor logits = network.forward_eval(x, plan, network.impl().stored_statistics(plan));
    std::vector<double> found = leading(logits, 3);
    found.push_back(logits.mean().item<double>());
    found.push_back(l2(logits));
    check_near(found, golden.logits, 1e-10);
  }
}

/// Where each of the first `count` entries of `sorted` stood before.
std::vector<int> permutation_head(const at::Tensor& before, const at::Tensor& sorted,
                                  std::int64_t count, std::int64_t first = 0) {
  std::vector<int> found;
  for (std::int64_t i = first; i < first + count; ++i) {
    found.push_back(before.eq(sorted[i]).nonzero().item<int>());
  }
  return found;
}

}  // namespace

TEST_CASE("Logits of the MobileNetV3 supernet are the reference's", "[supernet][golden]") {
  const space::SearchSpace space = mbv3_at_64();
  check_forward(
      space,
      {{test::uniform_arch(space, 7, 6, 4),
        {0.102055038115, 0.119246718331, 0.0153098547007, -0.000164535859901, 3.46334263685}},
       {test::uniform_arch(space, 3, 3, 2),
        {0.0667434416402, 0.143611734061, -0.0117126646195, -0.000914013570429, 3.11183737639}},
       {test::uniform_arch(space, 5, 4, 3),
        {0.0821152072545, 0.164369826079, -0.0277997330066, 0.000110868473069, 3.21179110595}},
       {test::drawn_mbv3_arch(space, 0),
        {0.0944100422505, 0.125550860203, 0.0110866477785, -9.74324729135e-05, 3.4621939547}}});
  const space::SearchSpace wide = mbv3_at_64("1.2");
  check_forward(
      wide,
      {{test::uniform_arch(wide, 7, 6, 4),
        {0.102026930109, 0.0809971491779, 0.0257594056708, -0.00200850111727, 3.39677116772}},
       {test::uniform_arch(wide, 3, 3, 2),
        {0.0931563682065, 0.0985405284342, -0.0426722907233, -0.000773299757216, 3.01917059444}},
       {test::drawn_mbv3_arch(wide, 0),
        {0.104319032469, 0.0898184104211, 0.0205005427721, -0.00206578445643, 3.40526823162}}});
}

TEST_CASE("Logits of the ProxylessNAS and ResNet50 supernets are the reference's",
          "[supernet][golden]") {
  const space::SearchSpace proxyless = test::reference_space("ofa_proxyless", {"resolutions=[64]"});
  check_forward(
      proxyless,
      {{test::uniform_arch(proxyless, 7, 6, 4),
        {0.0941036296182, 0.18947414263, -0.141778786396, 0.00240423973572, 5.22764489654}},
       {test::uniform_arch(proxyless, 3, 3, 2),
        {0.0447723426425, 0.153972740116, -0.0982186708066, 0.00312107349738, 4.87609397792}}});
  const space::SearchSpace resnet = resnet_at_64();
  const auto all = [&](int d, double e, int w) {
    return test::resnet_arch(resnet, std::vector<int>(5, d), std::vector<double>(18, e),
                             std::vector<int>(6, w));
  };
  check_forward(
      resnet,
      {{all(2, 0.35, 2),
        {0.23452255076, -0.278171786094, 3.83684313952, 0.0449535956109, 120.293515963}},
       {all(0, 0.2, 0),
        {0.3608914993, 0.0996023363789, 0.333370467308, -0.000117332269121, 7.6231111462}},
       {test::drawn_resnet_arch(resnet, 0),
        {0.0866268728009, 0.198094688026, 0.62169131921, 0.00522220086216, 19.2426381294}}});
}

TEST_CASE("Calibrated statistics and logits are the reference's", "[supernet][golden]") {
  const space::SearchSpace space = mbv3_at_64();
  const Supernet network = golden_network(space);
  const std::vector<at::Tensor> batches{golden_input("calib0", 2), golden_input("calib1", 3)};
  const at::Tensor x = golden_input("input", 2);
  const auto calibrated = [&](const space::NetworkPlan& plan) {
    return calibrate(plan, network.impl().weights(plan), batches, network.impl().norm_eps);
  };
  const std::vector<Forward> table{{test::uniform_arch(space, 7, 6, 4),
                                    {3.18668537119, 32.7479916058, -0.739932098645, 573.093021322}},
                                   {test::uniform_arch(space, 3, 3, 2),
                                    {1.30941462629, 4.75677208183, -0.752893487537, 77.9154870748}},
                                   {test::uniform_arch(space, 5, 4, 3),
                                    {2.27006222062, 6.80184305396, 6.0228981322, 157.930426298}},
                                   {test::drawn_mbv3_arch(space, 0),
                                    {5.36996084051, 3.45867727141, -1.85247236762, 197.225683954}}};
  for (const Forward& golden : table) {
    CAPTURE(space::to_text(space, golden.arch));
    const space::NetworkPlan plan = space::lower(space, golden.arch, kImageNet);
    const at::Tensor logits = network.forward_eval(x, plan, calibrated(plan));
    std::vector<double> found = leading(logits, 3);
    found.push_back(l2(logits));
    check_near(found, golden.logits, 1e-9);
  }
  const BnStats stats =
      calibrated(space::lower(space, test::uniform_arch(space, 3, 3, 2), kImageNet));
  // Batch norms in execution order: first_conv, two of blocks.0, then expand and depthwise of
  // blocks.1; the last is final_expand_layer's.
  const auto check_entry = [](const BnStats::Entry& entry, const std::vector<double>& mean,
                              const std::vector<double>& variance) {
    check_near(leading(entry.mean, 3), mean, 1e-10);
    check_near(leading(entry.variance, 3), variance, 1e-10);
  };
  check_entry(stats.entries[0], {-0.00333483794566, 0.0155250693135, 0.00220423555498},
              {1.32054277008, 1.24857432019, 1.27586809138});
  check_entry(stats.entries[4], {0.19321678217, -0.246073378536, 0.0985306053768},
              {0.0639192534942, 0.0956785333893, 0.0531821699595});
  check_entry(stats.entries.back(), {-0.158053988669, 0.201785681912, 0.0998297869962},
              {1.77020271827, 2.37108863451, 2.30930456658});
}

TEST_CASE("Channels are sorted as the reference sorts them", "[supernet][golden]") {
  const space::SearchSpace space = mbv3_at_64();
  const at::Tensor x = golden_input("input", 2);
  const auto norm_of = [&](const Supernet& network, int expand_ratio) {
    const space::NetworkPlan plan =
        space::lower(space, test::uniform_arch(space, 7, expand_ratio, 4), kImageNet);
    return l2(network.forward_eval(x, plan, network.impl().stored_statistics(plan)));
  };
  const std::string block2 = "blocks.2.conv.depth_conv.bn.bn.bias";
  const std::string squeeze6 = "blocks.6.conv.depth_conv.se.fc.reduce.bias";
  struct Golden {
    int stage;
    double norm_e3;
    double norm_e4;
    std::vector<int> block2_head;
  };
  const std::vector<Golden> table{
      {0, 3.4582553538, 3.47362683316, {18, 41, 127, 4, 54, 81, 58, 52, 115, 107}},
      {1, 3.44763068133, 3.42357655332, {18, 41, 4, 54, 81, 58, 52, 13, 69, 88}},
      {2, 3.42294240041, 3.42357655332, {18, 41, 4, 54, 58, 52, 13, 69, 42, 57}}};
  for (const Golden& golden : table) {
    CAPTURE(golden.stage);
    Supernet network = golden_network(space);
    const double full = norm_of(network, 6);
    const at::Tensor bias = state_tensor(network, block2).detach().clone();
    const at::Tensor squeeze_bias = state_tensor(network, squeeze6).detach().clone();
    if (golden.stage == 0) {
      const at::Tensor importance =
          state_tensor(network, "blocks.2.conv.point_linear.conv.conv.weight")
              .abs()
              .sum(at::IntArrayRef{0, 2, 3});
      check_near(leading(importance, 6),
                 {1.641411, 1.841354, 1.825214, 1.430835, 2.102483, 1.724337}, 1e-6);
    }
    network.sort_channels(golden.stage);
    CHECK(norm_of(network, 6) == Approx(full).epsilon(1e-12));
    CHECK(norm_of(network, 3) == Approx(golden.norm_e3).epsilon(1e-10));
    CHECK(norm_of(network, 4) == Approx(golden.norm_e4).epsilon(1e-10));
    const at::Tensor sorted = state_tensor(network, block2);
    CHECK((permutation_head(bias, sorted, 10) == golden.block2_head));
    CHECK((permutation_head(squeeze_bias, state_tensor(network, squeeze6), 8) ==
           std::vector<int>{52, 55, 35, 17, 20, 49, 5, 24}));
    if (golden.stage == 1) {
      CHECK((permutation_head(bias, sorted, 8, 96) ==
             std::vector<int>{127, 115, 107, 113, 117, 132, 133, 123}));
    }
  }
}

namespace {

/// The reference's training step: four drawn subnets whose gradients add up, taught by a static
/// full network and by labels.
class GoldenTraining {
 public:
  GoldenTraining()
      : space_(mbv3_at_64()),
        network_(golden_network(space_)),
        optimiser_(network_.impl().parameters(), 0.9, 3e-5),
        images_(golden_input("train", 4)),
        labels_(at::tensor(std::vector<std::int64_t>{1, 22, 333, 999})) {
    const at::NoGradGuard no_grad;
    std::vector<std::string> fixed{"resolutions=[64]", "dropout=0.0"};
    for (int stage = 1; stage <= 5; ++stage) {
      fixed.push_back(fmt::format("stages.{}.depth=[4]", stage));
      fixed.push_back(fmt::format("stages.{}.kernel_size=[7]", stage));
      fixed.push_back(fmt::format("stages.{}.expand_ratio=[6]", stage));
    }
    const space::SearchSpace full = test::reference_space("ofa_mbv3", fixed);
    const Supernet teacher = golden_network(full);
    const space::NetworkPlan plan = space::lower(full, space::largest(full), kImageNet);
    taught_ = at::softmax(teacher.forward_train(images_, plan), 1);
  }

  /// Losses (distillation, labels) of each subnet, one after the other.
  std::vector<double> step(std::uint64_t step) {
    optimiser_.zero_gradients();
    std::vector<double> losses;
    for (std::uint64_t j = 0; j < 4; ++j) {
      const space::Arch arch = test::drawn_mbv3_arch(space_, step * 1'000'000 + j * 1000);
      const space::NetworkPlan plan = space::lower(space_, arch, kImageNet);
      BnStats stats;
      ExecuteOptions options;
      options.norm_eps = network_.impl().norm_eps;
      options.record = &stats;
      const at::Tensor logits = execute(plan, network_.impl().weights(plan), images_, options);
      const at::Tensor distillation = soft_cross_entropy(logits, taught_);
      const at::Tensor of_labels = soft_cross_entropy(logits, smoothed_targets(labels_, 1000, 0.1));
      (distillation + of_labels).backward();
      losses.push_back(distillation.item<double>());
      losses.push_back(of_labels.item<double>());
      update_running_mean(stats);
    }
    return losses;
  }

  void update() { optimiser_.step(0.01); }
  [[nodiscard]] const Supernet& network() const { return network_; }

 private:
  /// Of blocks.1's depthwise convolution, the fifth batch norm, with the space's momentum.
  void update_running_mean(const BnStats& stats) {
    const at::NoGradGuard no_grad;
    const double momentum = space_.batch_norm().momentum;
    const at::Tensor& mean = stats.entries[4].mean;
    state_tensor(network_, "blocks.1.conv.depth_conv.bn.bn.running_mean")
        .narrow(0, 0, mean.size(0))
        .mul_(1.0 - momentum)
        .add_(mean, momentum);
  }

  space::SearchSpace space_;
  Supernet network_;
  Sgd optimiser_;
  at::Tensor images_;
  at::Tensor labels_;
  at::Tensor taught_;
};

}  // namespace

TEST_CASE("Two training steps with distillation are the reference's", "[supernet][golden]") {
  GoldenTraining training;
  const Supernet& network = training.network();
  // The reference keeps the labels' targets in float32.
  check_near(training.step(0),
             {6.9118876156, 6.7967323363, 6.9104894504, 6.8759711559, 6.9105603854, 6.8086413728,
              6.9094410265, 6.7768798535},
             1e-6);
  const std::map<std::string, double> gradients{
      {"first_conv.conv.weight", 13.63689644},
      {"blocks.1.conv.depth_conv.conv.conv.weight", 13.09915591},
      {"blocks.1.conv.depth_conv.conv.7to5_matrix", 8.199710407},
      {"blocks.1.conv.depth_conv.conv.5to3_matrix", 0.0},
      {"blocks.20.conv.point_linear.conv.conv.weight", 1.149604099},
      {"blocks.6.conv.depth_conv.se.fc.reduce.weight", 0.6217649783},
      {"classifier.linear.weight", 7.136136992}};
  for (const auto& [name, norm] : gradients) {
    CAPTURE(name);
    CHECK(l2(state_tensor(network, name).grad()) == Approx(norm).epsilon(1e-6));
  }
  const auto check_sums = [&](const std::map<std::string, double>& sums) {
    for (const auto& [name, sum] : sums) {
      CAPTURE(name);
      CHECK(sum_of(network, name) == Approx(sum).epsilon(1e-6));
    }
  };
  training.update();
  check_sums({{"first_conv.conv.weight", 1.35129733117},
              {"blocks.1.conv.depth_conv.conv.5to3_matrix", 9.15998169107},
              {"blocks.20.conv.point_linear.conv.conv.weight", -10.2149642332},
              {"blocks.1.conv.depth_conv.bn.bn.running_mean", 0.037914030033},
              {"classifier.linear.weight", 1.95726217541}});
  check_near(training.step(1),
             {6.9109864556, 6.3982424347, 6.9097697427, 6.4801773253, 6.9116242571, 6.5850100136,
              6.9114021063, 6.5763373041},
             1e-6);
  training.update();
  check_sums({{"first_conv.conv.weight", 1.03219474537},
              {"blocks.1.conv.depth_conv.conv.5to3_matrix", 9.15896714255},
              {"blocks.20.conv.point_linear.conv.conv.weight", -10.2342969235},
              {"blocks.1.conv.depth_conv.bn.bn.running_mean", -0.0523743089768},
              {"classifier.linear.weight", 1.95726058416}});
}

TEST_CASE("Subnets are drawn as CPython draws them", "[supernet][golden]") {
  test::PythonRandom zero(0);
  CHECK((std::vector<std::uint32_t>{zero.next()} == std::vector<std::uint32_t>{3626764237U}));
  CHECK(zero.next() == 1654615998U);
  CHECK(test::PythonRandom(1).next() == 577090037U);
  const space::SearchSpace mbv3 = mbv3_at_64();
  CHECK(test::drawn_mbv3_arch(mbv3, 12345003000ULL) ==
        test::arch_from_lists(mbv3, {5, 5, 7, 7, 3, 5, 5, 3, 5, 5, 7, 7, 7, 5, 7, 5, 5, 7, 3, 7},
                              {3, 3, 3, 6, 3, 6, 6, 4, 6, 3, 4, 3, 3, 3, 4, 4, 6, 3, 4, 3},
                              {2, 3, 2, 4, 2}));
  const space::SearchSpace resnet = resnet_at_64();
  CHECK(test::drawn_resnet_arch(resnet, 0) ==
        test::resnet_arch(
            resnet, {0, 2, 2, 2, 0},
            {.25, .25, .2, .25, .35, .25, .25, .25, .25, .25, .35, .2, .35, .2, .25, .2, .2, .35},
            {1, 0, 2, 0, 2, 1}));
}
