#include "report/report.hpp"

#include "report/html.hpp"
#include "report/sections.hpp"

#include <fmt/format.h>

namespace omnifit::report {

bool is_tabular(const ReportData& data) { return data.space && data.space->family == "tabular"; }

std::string render_html(const ReportData& data) {
  const PageContext page{data, result_rows(data)};
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
      escape_html(data.title), kPageStyle);
  out += header_section(page);
  out += "<main>\n";
  out += networks_section(page) + front_section(page);
  if (!is_tabular(data)) {
    out += training_section(page) + latency_section(page) + predictor_section(page);
  }
  out += search_section(page);
  if (!is_tabular(data)) out += files_section(page);
  out += stages_section(page) + reproduce_section(page);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace omnifit::report
