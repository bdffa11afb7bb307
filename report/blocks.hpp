#pragma once

#include "report/report_data.hpp"

#include <string>
#include <utility>
#include <vector>

namespace omnifit::report {

/// Building blocks of the page's HTML. Arguments named *_html are taken as they are, all others are
/// escaped.

/// <section id> with a heading.
std::string section(const std::string& id, const std::string& heading,
                    const std::string& body_html);

/// A list of short facts, name above value.
std::string fact_list(const std::vector<std::pair<std::string, std::string>>& facts);

/// A table whose rows become cards on a phone: every cell carries its column's title.
struct HtmlColumn {
  std::string title;
  bool is_number = false;
};
struct HtmlRow {
  std::vector<std::string> cells_html;
  std::string css_class;
};
std::string html_table(const std::vector<HtmlColumn>& columns, const std::vector<HtmlRow>& rows);

/// "There is <what> to show: the fit stage has not run." with the stage's state and message.
std::string missing_from_stage(const ReportData& data, const std::string& what,
                               const std::string& stage);

/// The run of a stage, or null.
const StageRun* find_stage(const ReportData& data, const std::string& stage);

/// `value` as a readable count with the unit prefix its neighbours share, for plots: 3.2e6 → 3.2
/// with "M".
struct CountScale {
  double divisor = 1.0;
  std::string prefix;  ///< "", "k", "M", "G"
};
CountScale count_scale(double largest);

/// "latency <= 40%" → "latency ≤ 40%", escaped.
std::string budget_html(const std::string& budget);

}  // namespace omnifit::report
