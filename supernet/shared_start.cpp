#include "supernet/shared_start.hpp"

#include "core/error.hpp"
#include "supernet/grouped_network.hpp"
#include "supernet/static_parts.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

namespace omnifit::supernet {
namespace {

/// Whether the fused kernels run all of the unit: LibTorch's own may round differently for another
/// number of images.
bool is_exact(const space::LayerSpec& spec, std::size_t position) {
  if (const auto* conv = std::get_if<space::ConvSpec>(&spec)) {
    return position == 0 && (conv->kernel_size > 1 || conv->stride > 1);
  }
  const auto* block = std::get_if<space::MbConvSpec>(&spec);
  if (block == nullptr || block->se_channels > 0) return false;
  const int kernel = block->kernel_size;
  return (kernel == 3 || kernel == 5 || kernel == 7) && block->stride <= 2;
}

}  // namespace

std::size_t shared_units(std::span<const space::NetworkPlan> plans) {
  if (plans.size() < 2) return 0;
  const std::vector<space::PlanUnit>& first = plans.front().units;
  std::size_t units = 0;
  while (units < first.size() && is_exact(first[units].spec, units)) ++units;
  for (const space::NetworkPlan& plan : plans.subspan(1)) {
    std::size_t equal = 0;
    while (equal < units && equal < plan.units.size() && plan.units[equal] == first[equal]) ++equal;
    units = equal;
  }
  // A block leaves plain values. A convolution leaves its batch norm and activation to whatever
  // reads it, where they round differently than in a pass of their own.
  const bool ends_in_block =
      units > 0 && std::holds_alternative<space::MbConvSpec>(first[units - 1].spec);
  return ends_in_block ? units : 0;
}

SharedStart run_start(const space::NetworkPlan& plan, const std::vector<UnitWeights>& weights,
                      std::size_t units, const std::vector<at::Tensor>& calibration,
                      const std::vector<at::Tensor>& evaluation, double norm_eps) {
  if (units == 0) return {0, calibration, evaluation};
  const at::NoGradGuard no_grad;
  OMNIFIT_CHECK(units < plan.units.size() && weights.size() == plan.units.size(),
                "{} units of a plan of {} with weights of {}", units, plan.units.size(),
                weights.size());
  const auto count = static_cast<std::ptrdiff_t>(units);
  StaticParts parts;
  parts.plan = {plan.io, plan.resolution_px, {plan.units.begin(), plan.units.begin() + count}};
  parts.weights = {weights.begin(), weights.begin() + count};

  SharedStart start;
  start.units = units;
  ExecuteOptions batch_statistics;
  batch_statistics.norm_eps = norm_eps;
  for (const at::Tensor& batch : calibration) {
    start.calibration.push_back(execute(parts.plan, parts.weights, batch, batch_statistics));
  }
  const BnStats stats = calibrate(parts.plan, parts.weights, calibration, norm_eps);
  parts.weights = fold(parts.weights, stats, norm_eps);
  const GroupedNetwork folded(parts);
  for (const at::Tensor& batch : evaluation) start.evaluation.push_back(folded.forward(batch));
  return start;
}

}  // namespace omnifit::supernet
