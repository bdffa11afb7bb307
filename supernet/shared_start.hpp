#pragma once

#include "space/plan.hpp"
#include "supernet/network.hpp"

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace omnifit::supernet {

/// Images as the rest of some networks sees them, after the units that all of them begin with.
///
/// Same units over the same weights and images have the same batch statistics and the same outputs,
/// so they run once for all networks. With no shared unit these are the images themselves.
struct SharedStart {
  std::size_t units = 0;
  std::vector<at::Tensor> calibration;  ///< batches, normalised with their own statistics
  std::vector<at::Tensor> evaluation;   ///< batches, normalised with the calibrated ones
};

/// Number of leading units that are the same in all plans. Only units whose outputs are the same,
/// bit for bit, however many images run at a time and whoever reads them: the first convolution and
/// at least one inverted-residual block without squeeze-excite. 0 for fewer than two plans.
std::size_t shared_units(std::span<const space::NetworkPlan> plans);

/// Runs the first `units` units of `plan` over both sets of batches. No gradient.
SharedStart run_start(const space::NetworkPlan& plan, const std::vector<UnitWeights>& weights,
                      std::size_t units, const std::vector<at::Tensor>& calibration,
                      const std::vector<at::Tensor>& evaluation, double norm_eps);

}  // namespace omnifit::supernet
