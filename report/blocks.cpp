#include "report/blocks.hpp"

#include "report/html.hpp"
#include "report/result_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace omnifit::report {

std::string section(const std::string& id, const std::string& heading,
                    const std::string& body_html) {
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", escape_html(id),
                     escape_html(heading), body_html);
}

std::string fact_list(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string out = "<dl class=\"facts\">\n";
  for (const auto& [name, value] : facts) {
    if (value.empty()) continue;
    out +=
        fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
  }
  return out + "</dl>\n";
}

std::string html_table(const std::vector<HtmlColumn>& columns, const std::vector<HtmlRow>& rows) {
  std::string out = "<table class=\"stack\">\n<thead><tr>";
  for (const HtmlColumn& column : columns) {
    out += fmt::format("<th scope=\"col\"{}>{}</th>", column.is_number ? " class=\"num\"" : "",
                       escape_html(column.title));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const HtmlRow& row : rows) {
    out += row.css_class.empty() ? "<tr>" : fmt::format("<tr class=\"{}\">", row.css_class);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      out += fmt::format("<td{} data-label=\"{}\">{}</td>",
                         columns[c].is_number ? " class=\"num\"" : "",
                         escape_html(columns[c].title), row.cells_html[c]);
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

const StageRun* find_stage(const ReportData& data, const std::string& stage) {
  const auto found = std::find_if(data.stages.begin(), data.stages.end(),
                                  [&](const StageRun& run) { return run.stage == stage; });
  return found == data.stages.end() ? nullptr : &*found;
}

std::string missing_from_stage(const ReportData& data, const std::string& what,
                               const std::string& stage) {
  const StageRun* run = find_stage(data, stage);
  std::string why;
  if (run == nullptr) {
    why = fmt::format("the {} stage has not run", stage);
  } else if (run->state == "done") {
    why = fmt::format("the {} stage finished without storing any", stage);
  } else if (run->state == "running") {
    why = fmt::format("the {} stage has not finished", stage);
  } else if (run->state == "interrupted") {
    why = fmt::format("the {} stage was interrupted", stage);
  } else if (run->state == "goal_missed") {
    why = fmt::format("the {} stage could not reach its goal", stage);
  } else {
    why = fmt::format("the {} stage failed", stage);
  }
  if (run != nullptr && !run->message.empty())
    why += fmt::format(" (\u201c{}\u201d)", run->message);
  return fmt::format("<p class=\"missing\">No {} to show: {}.</p>\n", escape_html(what),
                     escape_html(why));
}

CountScale count_scale(double largest) {
  if (largest >= 1e9) return {1e9, "G"};
  if (largest >= 1e6) return {1e6, "M"};
  if (largest >= 1e4) return {1e3, "k"};
  return {1.0, ""};
}

std::string budget_html(const std::string& budget) { return escape_html(readable_bound(budget)); }

}  // namespace omnifit::report
