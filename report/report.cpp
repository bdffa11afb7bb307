#include "report/report.hpp"

#include "report/html.hpp"
#include "report/sections.hpp"

#include <fmt/format.h>

namespace omnifit::report {

std::string render_html(const ReportData& data) {
  const PageContext page{data, result_rows(data)};
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
      escape_html(data.title), kPageStyle);
  out += header_section(page);
  out += "<main>\n";
  for (const auto& render :
       {networks_section, front_section, training_section, latency_section, predictor_section,
        search_section, files_section, stages_section, reproduce_section}) {
    out += render(page);
  }
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace omnifit::report
