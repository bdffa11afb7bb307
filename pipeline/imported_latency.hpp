#pragma once

#include "pipeline/run_context.hpp"
#include "space/additive_cost.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace omnifit::pipeline {

/// Latency on a device that the project file knows without a profile of this job: from tables that
/// another system measured, or from a model of whole networks (`omnifit device import`).
struct ImportedLatency {
  space::AdditiveCost estimate_ms;
  std::uint64_t hash = 0;  ///< of every number it stands on: a changed table is a changed search
};

/// nullopt if the project file has no such device. @throws StateError if its tables are of another
/// space; DataError if a row cannot be read.
std::optional<ImportedLatency> imported_latency(RunContext& context, const std::string& device);

}  // namespace omnifit::pipeline
