#include "core/units.hpp"
#include "report/arch_drawing.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"

#include <fmt/format.h>

namespace omnifit::report {
namespace {

constexpr const char* kNone = "<span class=\"none\">\u2013</span>";

std::string note(const std::string& text) {
  return fmt::format("<small>{}</small>", escape_html(text));
}

/// The measured value large, what was expected of it beneath; nothing is shown as if it had been
/// measured.
std::string measured_cell(const std::optional<std::string>& measured,
                          const std::optional<std::string>& expected, const char* expected_name) {
  if (!measured && !expected) return kNone;
  std::string out = measured ? fmt::format("<b>{}</b>", unbroken(*measured))
                             : std::string("<span class=\"none\">not measured</span>");
  if (expected) out += note(fmt::format("{} {}", expected_name, unbroken(*expected)));
  return out;
}

std::optional<std::string> text_of(const std::optional<double>& value,
                                   std::string (*format)(double)) {
  return value ? std::optional(format(*value)) : std::nullopt;
}

std::string latency_cell(const ResultRow& row) {
  std::optional<std::string> estimate;
  if (row.estimated_latency_ms) {
    estimate = estimate_text(*row.estimated_latency_ms, row.estimated_latency_error_ms);
  }
  return measured_cell(text_of(row.measured_latency_ms, core::format_ms), estimate, "estimated");
}

std::string top1_cell(const ResultRow& row) {
  if (row.validation_top1) {
    return fmt::format("<b>{}</b>", unbroken(core::format_percent(*row.validation_top1))) +
           note("on validation images");
  }
  return measured_cell(text_of(row.measured_top1, core::format_percent),
                       text_of(row.predicted_top1, core::format_percent), "predicted");
}

std::string budget_cell(const ResultRow& row) {
  std::string name = budget_html(row.budget);
  if (row.kind == ResultRow::Kind::kLargest) name = "largest subnet";
  if (row.kind == ResultRow::Kind::kSmallest) name = "smallest subnet";
  std::string out = fmt::format("<b>{}</b>", name);
  const std::string bound = readable_bound(row.bound);
  if (!bound.empty() && bound != readable_bound(row.budget)) out += note(bound);
  const auto rejected = static_cast<std::size_t>(row.num_rejected);
  switch (row.kind) {
    case ResultRow::Kind::kWinner:
      if (rejected > 0) {
        out += note(fmt::format("after {} {} over budget", number_word(rejected),
                                plural(rejected, "candidate", "candidates")));
      }
      break;
    case ResultRow::Kind::kMissed:
      out += fmt::format(
          "<small class=\"bad\">not met: {} {} measured, none kept it; the last one is "
          "shown</small>",
          number_word(rejected), plural(rejected, "candidate", "candidates"));
      break;
    case ResultRow::Kind::kPending:
      out += note(row.validation_top1 ? "best candidate of the search, not verified yet"
                                      : "best predicted candidate, not measured yet");
      break;
    case ResultRow::Kind::kLookedUp:
      out += note("best one found, looked up in the tables");
      break;
    case ResultRow::Kind::kNothing:
      out += "<small class=\"bad\">the search found no subnet within it</small>";
      break;
    case ResultRow::Kind::kLargest:
    case ResultRow::Kind::kSmallest:
      out += note("of the space, for comparison");
      break;
  }
  return out;
}

std::string arch_cell(const ResultRow& row) {
  if (!row.arch) return kNone;
  std::string out = draw_arch(*row.arch);
  const std::string description = describe_arch(*row.arch);
  if (!description.empty()) out += note(description);
  const auto bytes = [](std::int64_t count) {
    return unbroken(core::format_bytes(static_cast<double>(count)));
  };
  if (row.arch->peak_memory_bytes && row.arch->model_bytes) {
    out += note(fmt::format("peak memory {}, weights {} (float32)",
                            bytes(*row.arch->peak_memory_bytes), bytes(*row.arch->model_bytes)));
  }
  return out + fmt::format("<code class=\"arch-text\">{}</code>", escape_html(row.arch->text));
}

HtmlRow table_row(const ResultRow& row) {
  const auto cost = [&row](std::optional<std::int64_t> ArchInfo::*field) {
    const bool known = row.arch && (*row.arch).*field;
    return known ? unbroken(core::format_count(static_cast<double>(*((*row.arch).*field))))
                 : std::string(kNone);
  };
  const bool compared =
      row.kind == ResultRow::Kind::kLargest || row.kind == ResultRow::Kind::kSmallest;
  return {{budget_cell(row), top1_cell(row), latency_cell(row), cost(&ArchInfo::macs),
           cost(&ArchInfo::params_count), arch_cell(row)},
          compared ? "compared" : ""};
}

}  // namespace

std::string networks_section(const PageContext& page) {
  if (page.rows.empty()) {
    return section("networks", "The networks", missing_from_stage(page.data, "networks", "search"));
  }
  std::vector<HtmlRow> rows;
  std::vector<ArchInfo> archs;
  for (const ResultRow& row : page.rows) {
    rows.push_back(table_row(row));
    if (row.arch) archs.push_back(*row.arch);
  }
  std::string body;
  const bool looked_up = find_row(page.rows, ResultRow::Kind::kLookedUp) != nullptr;
  if (page.data.verified.empty() && !looked_up)
    body += missing_from_stage(page.data, "measurements", "verify");
  body += html_table({{"Budget", false},
                      {"Top-1", true},
                      {"Latency", true},
                      {"MACs", true},
                      {"Parameters", true},
                      {"Architecture", false}},
                     rows);
  if (looked_up) {
    return section("networks", "The networks",
                   body + "<p class=\"note\">All figures are those of the space's tables.</p>\n");
  }
  body +=
      "<p class=\"note\">Top-1 is measured on the test split inside the supernet after batch-norm "
      "calibration; the prediction speaks of validation images. Latency is the median of the whole "
      "network on the device, batch 1. Each bar of an architecture is a block; stages stand "
      "apart.</p>\n";
  body += draw_arch_legend(archs);
  return section("networks", "The networks", body);
}

}  // namespace omnifit::report
