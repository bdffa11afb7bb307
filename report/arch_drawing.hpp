#pragma once

#include "report/report_data.hpp"

#include <string>
#include <vector>

namespace omnifit::report {

/// A subnet as a row of bars, one per block, grouped by stage: height tells the kernel size, width
/// and strength of colour the expand ratio, a dot stands for a block that the subnet leaves out.
/// Empty without known stages.
std::string draw_arch(const ArchInfo& arch);

/// The legend for every kernel size and expand ratio that the archs use; empty if none can be
/// drawn.
std::string draw_arch_legend(const std::vector<ArchInfo>& archs);

/// "32 px, 2-3-4-2-3 blocks"; empty where nothing of it is known.
std::string describe_arch(const ArchInfo& arch);

}  // namespace omnifit::report
