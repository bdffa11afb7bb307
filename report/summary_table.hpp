#pragma once

#include "report/report_data.hpp"

#include <string>

namespace omnifit::report {

/// The table a run ends with, for terminals: one line per budget, then the largest and the smallest
/// subnet. Values that were not measured show as "–". Ends with a newline; says so in words if
/// there is no result yet.
std::string summary_table(const ReportData& data);

/// The same rows as JSON (an object with "title" and "networks"), for scripts: numbers in base
/// units, missing values null, all files of a network with their proof. Ends with a newline.
std::string summary_json(const ReportData& data);

}  // namespace omnifit::report
