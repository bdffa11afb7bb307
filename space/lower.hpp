#pragma once

#include "space/arch.hpp"
#include "space/plan.hpp"

#include <string>
#include <vector>

namespace omnifit::space {

/// A place of the supernet that a unit can run in, with the widest unit it holds.
struct Slot {
  std::string
      name;  ///< prefix of its tensors: "first_conv", "blocks.3", "feature_mix_layer", "classifier"
             ///< of an mbconv space, "input_stem.0", "blocks.3", "classifier" of a bottleneck space
  LayerSpec largest;     ///< widths and kernel at their maxima, in_px at the largest resolution
  bool elastic = false;  ///< has a gene of kernel, expand ratio or width (decides tensor names)
  std::vector<int>
      kernel_sizes;  ///< ascending; one element where not elastic (blocks and conv only)
  /// Middle widths of a block at its largest other widths, one per expand ratio, ascending; two
  /// ratios may round to one width. One element where not elastic.
  std::vector<int> mid_channels;
  std::vector<int> genes;  ///< every gene the unit's presence or shape depends on
  int stage = -1;          ///< of a block of the space; -1: not a block
};

/// All slots of the space in execution order, optional ones (elastic depth) included.
std::vector<Slot> slots(const SearchSpace& space, const TaskIo& io);
/// The slots of one static network: every slot holds exactly the plan's unit, names renumbered in
/// order.
std::vector<Slot> slots(const NetworkPlan& plan, const std::vector<Slot>& of_supernet);

/// @throws ConfigError if the space is tabular: its archs have figures but no layers.
void require_layers(const SearchSpace& space);

/// The only place that rounds channels and computes spatial sizes, strides, squeeze-excite widths
/// and shortcuts.
/// @throws std::invalid_argument if `io` has not 1 to 4,096 channels and 1 to 10,000,000 classes;
/// see also require_layers, which
/// every function that builds a plan calls.
NetworkPlan lower(const SearchSpace& space, const Arch& arch, const TaskIo& io);

/// Distinct units of all archs of the space (what a profile measures), ordered by slot then spec.
std::vector<LayerSpec> distinct_units(const SearchSpace& space, const TaskIo& io);

/// Stable hash of what a latency table depends on: all distinct units for three image channels, but
/// not the classifier's class count.
std::uint64_t units_fingerprint(const SearchSpace& space);

}  // namespace omnifit::space
