#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/collection.hpp"
#include "pipeline/stages/stages.hpp"

#include <algorithm>

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  return fmt::format("space {}\ndata {}\nseed {}\ncalibration_images {}\n{}",
                     core::hex64(context.space().fingerprint()), context.dataset().fingerprint,
                     context.seed(), context.config().train.calibration_images,
                     core::write_config(context.config().collect));
}

std::string run(RunContext& context, const StageRun&) {
  const CollectConfig& config = context.config().collect;
  const std::vector<space::Arch> archs = collected_archs(context.space(), config, context.seed());
  const std::vector<supernet::SubnetAccuracy> accuracies = measure_accuracies(
      context, archs, supernet::Split::kValidation, config.max_images, "collect");
  std::string text;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    text += fmt::format("{} {:a}\n", space::to_text(context.space(), archs[i]), accuracies[i].top1);
  }
  const auto [worst, best] =
      std::minmax_element(accuracies.begin(), accuracies.end(),
                          [](const auto& a, const auto& b) { return a.top1 < b.top1; });
  context.progress().message(fmt::format(
      "collect: {} subnets, top-1 {} to {} on {} validation images", archs.size(),
      core::format_percent(worst->top1), core::format_percent(best->top1), best->num_images));
  return core::sha256_hex(text);
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// Accuracies are facts about a checkpoint and are kept; measuring them again gives the same
/// numbers.
void discard(RunContext&, const StageRun&) {}

}  // namespace

StageActions collect_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
