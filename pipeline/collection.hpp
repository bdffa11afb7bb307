#pragma once

#include "pipeline/pipeline_store.hpp"
#include "pipeline/run_context.hpp"

#include <span>
#include <vector>

namespace omnifit::pipeline {

/// The subnets the job collects: smallest, largest, then distinct random ones, drawn uniformly and
/// spread over all sizes in turn; decided by space, seed and number alone.
std::vector<space::Arch> collected_archs(const space::SearchSpace& space,
                                         const CollectConfig& config, std::uint64_t seed);

/// Accuracies of `archs` on a split: stored ones are read, the others measured (many at once, each
/// stored as soon as it is known). In the order of `archs`. `task` names the progress; empty: part
/// of the task that is open.
std::vector<supernet::SubnetAccuracy> measure_accuracies(RunContext& context,
                                                         std::span<const space::Arch> archs,
                                                         supernet::Split split, int max_images,
                                                         const std::string& task);

}  // namespace omnifit::pipeline
