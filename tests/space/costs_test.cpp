#include "space/costs.hpp"

#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/predictors/ofa_table.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <fstream>
#include <sstream>

namespace omnifit::space {
namespace {

using test::ofa_mbv3;
using test::ofa_proxyless;
using test::shipped_space;
using test::test_rng;
using test::uniform_arch;

struct Golden {
  int kernel_size;
  int expand_ratio;
  int depth;
  std::vector<std::int64_t> macs;  ///< per resolution
  std::int64_t params;
};

void check_golden(const SearchSpace& space, const std::vector<Golden>& table) {
  for (const Golden& golden : table) {
    for (std::size_t i = 0; i < golden.macs.size(); ++i) {
      const int px = space.resolutions()[i];
      CAPTURE(space.name(), space.width_mult(), golden.kernel_size, golden.depth, px);
      const Arch arch =
          uniform_arch(space, px, golden.kernel_size, golden.expand_ratio, golden.depth);
      const NetworkPlan plan = lower(space, arch, {3, 1000});
      CHECK(macs(plan) == golden.macs[i]);
      CHECK(params_count(plan) == golden.params);
    }
  }
}

TEST_CASE("MACs and parameters equal the reference's", "[space][golden]") {
  check_golden(ofa_mbv3(1.0, {128, 160, 192, 224}),
               {{7, 6, 4, {188'248'320, 291'318'048, 417'292'160, 566'170'656}, 7'664'760},
                {3, 3, 2, {41'476'224, 63'240'528, 89'841'344, 121'278'672}, 3'410'792},
                {5, 4, 3, {84'099'584, 129'548'864, 185'097'984, 250'746'944}, 4'551'792},
                {3, 3, 4, {75'979'392, 116'946'960, 167'018'432, 226'193'808}, 4'371'928}});
  check_golden(ofa_mbv3(1.2, {128, 160, 192, 224}),
               {{7, 6, 4, {279'987'456, 433'563'888, 621'268'416, 843'101'040}, 10'701'632},
                {3, 3, 2, {65'536'896, 100'320'888, 142'834'656, 193'078'200}, 4'602'456},
                {5, 4, 3, {128'931'840, 198'948'384, 284'524'160, 385'659'168}, 6'245'312},
                {3, 3, 4, {117'483'648, 181'192'632, 259'059'168, 351'083'256}, 5'986'008}});
  check_golden(ofa_proxyless(1.3, {128, 224}), {{7, 6, 4, {329'253'888, 1'004'908'032}, 7'942'056},
                                                {3, 3, 2, {87'823'104, 265'526'256}, 3'718'832}});
}

/// The arch of a published network: "33-54 …", kernel size and expand ratio of every block.
Arch published_arch(const SearchSpace& space, const std::vector<std::string>& stages) {
  std::vector<std::uint8_t> choices(space.genes().size(), 0);
  const auto set = [&](std::optional<int> gene, double value) {
    if (!gene) return;
    const auto& values = space.genes()[static_cast<std::size_t>(*gene)].choices;
    std::uint8_t index = 0;
    while (values.at(index) != value) ++index;
    choices[static_cast<std::size_t>(*gene)] = index;
  };
  for (int stage = 0; stage < static_cast<int>(stages.size()); ++stage) {
    const std::string& blocks = stages[static_cast<std::size_t>(stage)];
    int block = 0;
    for (std::size_t i = 0; i < blocks.size(); i += 3, ++block) {
      set(space.find_gene(Axis::kKernelSize, stage + 1, block), blocks[i] - '0');
      set(space.find_gene(Axis::kExpandRatio, stage + 1, block), blocks[i + 1] - '0');
    }
    set(space.find_gene(Axis::kDepth, stage + 1), block);
  }
  return {space, choices};
}

TEST_CASE("MACs and parameters of the published networks", "[space][golden]") {
  std::ifstream file(OMNIFIT_SOURCE_DIR "/tests/space/golden/ofa_specialised_nets.txt");
  int num_networks = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string id;
    std::string label;
    int px = 0;
    double macs_m = 0;
    std::int64_t params = 0;
    words >> id >> px >> macs_m >> params >> label;
    std::vector<std::string> stages;
    for (std::string stage; words >> stage;) stages.push_back(stage);
    const double width_mult = std::stod(label.substr(1));
    const SearchSpace space =
        label[0] == 'M' ? ofa_mbv3(width_mult, {px}) : ofa_proxyless(width_mult, {px});
    const NetworkPlan plan = lower(space, published_arch(space, stages), {3, 1000});
    CAPTURE(id);
    CHECK(macs(plan) == std::llround(macs_m * 1e6));
    CHECK(params_count(plan) == params);
    ++num_networks;
  }
  CHECK(num_networks == 50);
}

TEST_CASE("MACs and parameters of the ResNet50 space equal the reference's", "[space][golden]") {
  const SearchSpace space = test::ofa_resnet50({128, 224});
  const auto check = [&](const std::string& json, const std::vector<std::int64_t>& expected_macs,
                         std::int64_t params) {
    for (std::size_t i = 0; i < expected_macs.size(); ++i) {
      const Arch arch = parse_arch_json(
          space, fmt::format("{{{}, \"image_size\": {}}}", json, space.resolutions()[i]));
      const NetworkPlan plan = lower(space, arch, {3, 1000});
      CAPTURE(to_text(space, arch));
      CHECK(macs(plan) == expected_macs[i]);
      CHECK(params_count(plan) == params);
    }
  };
  const auto lists = [](const std::string& depths, double expand_ratio, int width) {
    return fmt::format(R"("d": [{}], "e": [{}], "w": [{}])", depths,
                       fmt::join(std::vector<double>(18, expand_ratio), ", "),
                       fmt::join(std::vector<int>(6, width), ", "));
  };
  check(lists("2, 2, 2, 2, 2", 0.35, 2), {2'447'630'336, 7'491'643'904}, 48'105'992);
  check(lists("0, 0, 0, 0, 0", 0.2, 0), {315'079'552, 962'192'128}, 6'539'280);
  check(lists("2, 1, 2, 2, 1", 0.25, 2), {1'414'873'088, 4'328'824'832}, 25'576'264);
}

TEST_CASE("every row of the published accuracy table has its exact costs", "[space][golden]") {
  OMNIFIT_REQUIRE_DATA("accuracy/ofa_mbv3_w1.0_imagenet_top1.csv");
  const SearchSpace space = test::ofa_space();
  const test::AccuracyTable table =
      test::read_accuracy_table(space, std::filesystem::path(OMNIFIT_SHARED_DATA) /
                                           "accuracy/ofa_mbv3_w1.0_imagenet_top1.csv");
  REQUIRE(table.archs.size() == 1423);
  for (std::size_t i = 0; i < table.archs.size(); ++i) {
    const NetworkPlan plan = lower(space, table.archs[i], {3, 1000});
    CAPTURE(i);
    REQUIRE(macs(plan) == table.macs[i]);
    REQUIRE(params_count(plan) == table.params[i]);
  }
}

TEST_CASE("mbv3_32px has the size it is made for", "[space][golden]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  const std::int64_t most = macs(lower(space, largest(space), {3, 10}));
  const std::int64_t least = macs(lower(space, smallest(space), {3, 10}));
  CHECK(most == 5'083'904);
  CHECK(least == 592'360);
  CHECK(params_count(lower(space, largest(space), {3, 10})) == 360'618);
  const SearchSpace tiny = shipped_space("tiny");
  CHECK(macs(lower(tiny, largest(tiny), {3, 10})) == 144'448);
  CHECK(macs(lower(tiny, smallest(tiny), {3, 10})) == 34'288);
}

TEST_CASE("a unit's costs, counted by hand", "[space][golden]") {
  const LayerSpec block =
      parse_spec("mbconv in=8 mid=16 out=8 k=5 s=1 px=4 act=relu se=8 expand=1 skip=1");
  // Expand, depthwise, squeeze-excite (two matrices), project.
  CHECK(macs(block) == 8 * 16 * 16 + 25 * 16 * 16 + 2 * 16 * 8 + 16 * 8 * 16);
  CHECK(params_count(block) ==
        (8 * 16 + 2 * 16) + (25 * 16 + 2 * 16) + (2 * 16 * 8 + 8 + 16) + (16 * 8 + 2 * 8));
  const LayerSpec plain = parse_spec("conv in=8 out=16 k=1 s=1 px=1 act=none bn=0 bias=1");
  CHECK(macs(plain) == 128);
  CHECK(params_count(plain) == 144);
  CHECK(macs(PoolSpec{8, 4}) == 0);
  CHECK(params_count(PoolSpec{8, 4}) == 0);
  CHECK(macs(LinearSpec{8, 10}) == 80);
  CHECK(params_count(LinearSpec{8, 10}) == 90);
  const LayerSpec bottleneck =
      parse_spec("bottleneck in=16 mid=8 out=32 k=3 s=2 px=8 act=relu down=avgpool_conv");
  // 1x1 at 8x8, then 3x3, 1x1 and the shortcut's 1x1 at 4x4.
  CHECK(macs(bottleneck) == 16 * 8 * 64 + (9 * 8 * 8 + 8 * 32 + 16 * 32) * 16);
  CHECK(params_count(bottleneck) ==
        (16 * 8 + 16) + (9 * 8 * 8 + 16) + (8 * 32 + 64) + (16 * 32 + 64));
  CHECK(macs(MaxPoolSpec{.channels = 8, .in_px = 4}) == 0);
  CHECK(params_count(MaxPoolSpec{.channels = 8, .in_px = 4}) == 0);
}

TEST_CASE("peak memory holds a shortcut's input during the depthwise convolution",
          "[space][golden]") {
  const auto peak_of = [](const std::string& text) {
    return peak_activation_bytes({.io = {}, .resolution_px = 4, .units = {{0, parse_spec(text)}}},
                                 1);
  };
  const std::string block = "mbconv in=8 mid=16 out=8 k=5 s=1 px=4 act=relu se=0 expand=1 ";
  CHECK(peak_of(block + "skip=1") == 16 * (16 + 16 + 8));
  CHECK(peak_of(block + "skip=0") == 16 * (16 + 16));
  CHECK(peak_of("mbconv in=8 mid=8 out=64 k=3 s=2 px=4 act=relu se=0 expand=0 skip=0") ==
        4 * (8 + 64));
  // The third convolution, with the input still held for the shortcut.
  CHECK(peak_of("bottleneck in=32 mid=8 out=32 k=3 s=1 px=4 act=relu down=none") ==
        16 * (8 + 32 + 32));
  // What the main path gave is held while the input is pooled.
  CHECK(peak_of("bottleneck in=32 mid=8 out=32 k=3 s=2 px=4 act=relu down=avgpool_conv") ==
        16 * 32 + 4 * 32 + 4 * 32);
  CHECK(peak_of("maxpool c=8 k=3 s=2 px=4") == 8 * (16 + 4));
  const SearchSpace space = shipped_space("tiny");
  const NetworkPlan plan = lower(space, largest(space), {3, 10});
  // blocks.1: 16 channels in and out of the depthwise convolution, 8 held, at 8x8.
  CHECK(peak_activation_bytes(plan) == 4 * 64 * (16 + 16 + 8));
  CHECK(peak_activation_bytes(plan, 1) == 64 * (16 + 16 + 8));
}

/// MCUNet's rule as its text says it, from the fields of the specs alone.
std::int64_t mcunet_peak_elements(const NetworkPlan& plan) {
  std::int64_t peak = 0;
  const auto layer = [&](std::int64_t in, std::int64_t out, std::int64_t held = 0) {
    peak = std::max(peak, in + out + held);
  };
  for (const PlanUnit& unit : plan.units) {
    const std::int64_t in_area =
        std::int64_t{input_shape(unit.spec).px} * input_shape(unit.spec).px;
    const std::int64_t out_area =
        std::int64_t{output_shape(unit.spec).px} * output_shape(unit.spec).px;
    if (const auto* conv = std::get_if<ConvSpec>(&unit.spec)) {
      layer(conv->in_channels * in_area, conv->out_channels * out_area);
    } else if (const auto* linear = std::get_if<LinearSpec>(&unit.spec)) {
      layer(linear->in_features, linear->out_features);
    } else if (const auto* block = std::get_if<MbConvSpec>(&unit.spec)) {
      const std::int64_t input = block->in_channels * in_area;
      if (block->expand) layer(input, block->mid_channels * in_area);
      layer(block->mid_channels * in_area, block->mid_channels * out_area,
            block->shortcut ? input : 0);
      layer(block->mid_channels * out_area, block->out_channels * out_area);
    }
  }
  return peak;
}

TEST_CASE("peak memory is MCUNet's in every space of inverted residuals", "[space][property]") {
  for (const char* name : {"tiny", "mbv3_32px", "ofa_mbv3", "ofa_proxyless"}) {
    const SearchSpace space = shipped_space(name);
    core::Rng rng = test_rng(3);
    for (int i = 0; i < 50; ++i) {
      const Arch arch = sample(space, rng);
      CAPTURE(name, to_text(space, arch));
      const NetworkPlan plan = lower(space, arch, {3, 10});
      const std::int64_t elements = mcunet_peak_elements(plan);
      REQUIRE(peak_activation_bytes(plan, element_bytes(Precision::kInt8)) == elements);
      REQUIRE(peak_activation_bytes(plan, element_bytes(Precision::kFloat32)) == 4 * elements);
    }
  }
}

TEST_CASE("the costs of MCUNet's small MobileNetV2 are the published ones", "[space][golden]") {
  // Width 0.35, 144 px, ImageNet: 23.5 M MACs, 0.75 M parameters; 308 kB SRAM measured, to which
  // the runtime adds its own buffers.
  const SearchSpace space = test::space_from(R"(
name: mbv2
resolutions: [144]
width_mult: 0.35
stem: {width: 32, stride: 2, act: relu6}
stages:
  - {width: 16, act: relu6, first_shortcut: false}
  - {width: 24, stride: 2, act: relu6, depth: [2], expand_ratio: [6]}
  - {width: 32, stride: 2, act: relu6, depth: [3], expand_ratio: [6]}
  - {width: 64, stride: 2, act: relu6, depth: [4], expand_ratio: [6]}
  - {width: 96, act: relu6, depth: [3], expand_ratio: [6]}
  - {width: 160, stride: 2, act: relu6, depth: [3], expand_ratio: [6]}
  - {width: 320, act: relu6, expand_ratio: [6]}
head:
  - {name: mix, width: 1280, act: relu6}
)");
  const NetworkPlan plan = lower(space, smallest(space), {3, 1000});
  CHECK(std::round(static_cast<double>(macs(plan)) / 1e5) == 235);
  CHECK(std::round(static_cast<double>(params_count(plan)) / 1e4) == 75);
  // The second stage's first depthwise convolution: 48 channels from 72x72 to 36x36.
  CHECK(find_plan_cost("peak_memory_int8_bytes")->of_plan(plan) == 48 * (72 * 72 + 36 * 36));
  CHECK(find_plan_cost("peak_memory_bytes")->of_plan(plan) == 4 * 48 * (72 * 72 + 36 * 36));
}

TEST_CASE("costs of a plan have names, and units where they add up", "[space][unit]") {
  std::vector<std::string> names;
  const SearchSpace space = shipped_space("tiny");
  const NetworkPlan plan = lower(space, largest(space), {3, 10});
  for (const PlanCost& cost : plan_costs()) {
    names.emplace_back(cost.name);
    CHECK(find_plan_cost(cost.name) == &cost);
    if (cost.of_unit == nullptr) continue;
    std::int64_t sum = 0;
    for (const PlanUnit& unit : plan.units) sum += cost.of_unit(unit.spec);
    CHECK(sum == cost.of_plan(plan));
  }
  CHECK(names == std::vector<std::string>{"macs", "params", "peak_memory_bytes", "model_bytes",
                                          "peak_memory_int8_bytes", "model_int8_bytes"});
  CHECK(find_plan_cost("latency_ms") == nullptr);
  CHECK(find_plan_cost("macs")->of_plan(plan) == macs(plan));
  CHECK(find_plan_cost("params")->of_plan(plan) == params_count(plan));
  CHECK(find_plan_cost("model_bytes")->of_plan(plan) == model_bytes(plan, 4));
  CHECK(find_plan_cost("model_int8_bytes")->of_plan(plan) == model_bytes(plan, 1));
}

TEST_CASE("model bytes count folded weights", "[space][golden]") {
  const auto bytes_of = [](const std::string& text) {
    return model_bytes({.io = {}, .resolution_px = 4, .units = {{0, parse_spec(text)}}}, 1);
  };
  CHECK(bytes_of("conv in=3 out=8 k=3 s=2 px=4 act=relu bn=1 bias=0") == 3 * 8 * 9 + 8);
  CHECK(bytes_of("conv in=3 out=8 k=1 s=1 px=1 act=relu bn=0 bias=0") == 3 * 8);
  CHECK(bytes_of("mbconv in=8 mid=16 out=8 k=3 s=1 px=4 act=relu se=8 expand=1 skip=1") ==
        (8 * 16 + 16) + (9 * 16 + 16) + (2 * 16 * 8 + 8 + 16) + (16 * 8 + 8));
  CHECK(bytes_of("linear in=8 out=10") == 90);
  CHECK(bytes_of("bottleneck in=16 mid=8 out=32 k=3 s=1 px=4 act=relu down=conv") ==
        (16 * 8 + 8) + (9 * 8 * 8 + 8) + (8 * 32 + 32) + (16 * 32 + 32));
  const SearchSpace space = shipped_space("tiny");
  const NetworkPlan plan = lower(space, largest(space), {3, 10});
  CHECK(model_bytes(plan) == 4 * model_bytes(plan, 1));
}

TEST_CASE("MACs never fall when a gene rises", "[space][property]") {
  for (const char* name : {"tiny", "mbv3_32px"}) {
    const SearchSpace space = shipped_space(name);
    core::Rng rng = test_rng(1);
    for (int i = 0; i < 100; ++i) {
      const Arch arch = sample(space, rng);
      const NetworkPlan plan = lower(space, arch, {3, 10});
      for (std::size_t g = 0; g < space.genes().size(); ++g) {
        std::vector<std::uint8_t> choices(arch.choices().begin(), arch.choices().end());
        if (!is_active(space, arch, static_cast<int>(g))) continue;
        if (++choices[g] == space.genes()[g].choices.size()) continue;
        const NetworkPlan raised = lower(space, Arch(space, choices), {3, 10});
        CAPTURE(to_text(space, arch), gene_name(space.genes()[g]));
        REQUIRE(macs(raised) > macs(plan));
        REQUIRE(peak_activation_bytes(raised) >= peak_activation_bytes(plan));
        REQUIRE(params_count(raised) >= params_count(plan));
      }
    }
  }
}

}  // namespace
}  // namespace omnifit::space
