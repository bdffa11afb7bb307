#pragma once

#include "report/report_data.hpp"
#include "report/result_rows.hpp"

#include <string>
#include <vector>

namespace omnifit::report {

/// What the sections of the page share: the data and the rows made of it.
struct PageContext {
  const ReportData& data;
  std::vector<ResultRow> rows;  ///< result_rows(data)
};

/// Whether the figures are those of a tabular space's tables: then nothing is trained, timed,
/// predicted or exported, and the page has no section about it.
bool is_tabular(const ReportData& data);

/// Each returns a complete <section> (or the page's header). What is missing is said in words.
std::string header_section(const PageContext& page);
std::string networks_section(const PageContext& page);
std::string front_section(const PageContext& page);
std::string training_section(const PageContext& page);
std::string latency_section(const PageContext& page);
std::string predictor_section(const PageContext& page);
std::string search_section(const PageContext& page);
std::string files_section(const PageContext& page);
std::string stages_section(const PageContext& page);
std::string reproduce_section(const PageContext& page);

/// The page's style sheet.
extern const char* const kPageStyle;

}  // namespace omnifit::report
