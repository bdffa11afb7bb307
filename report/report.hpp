#pragma once

#include "report/report_data.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace omnifit::report {

/// Which part of a project file to report on.
struct ReportRequest {
  std::map<std::string, std::int64_t> stage_runs;  ///< stage name → stage_run.id of this job
  std::string title;                               ///< heading of the page; empty: the space's name
};

/// Reads one job's results on a consistent snapshot. Stages that are missing from the request, rows
/// that are not there and values that are NULL leave their part of the result empty.
/// @throws DataError if the request names a stage run that the project file does not have.
ReportData load_report_data(const store::Database& database, const ReportRequest& request);

/// One self-contained HTML page (UTF-8): no scripts, no network access, inline CSS and SVG. Links
/// to exported files are relative, so the page belongs beside the project file. Equal data give
/// equal bytes.
std::string render_html(const ReportData& data);

}  // namespace omnifit::report
