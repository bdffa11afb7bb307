#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/result_rows.hpp"
#include "report/sections.hpp"
#include "report/svg_plot.hpp"

#include <fmt/format.h>

#include <cmath>

namespace omnifit::report {
namespace {

constexpr std::size_t kMaxFailuresShown = 10;
using NameValues = std::vector<std::pair<std::string, std::string>>;

std::string percent(const std::optional<double>& fraction) {
  return fraction ? fmt::format("{:.1f} %", *fraction * 100.0) : "not known";
}

std::string coefficient(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "not defined";
}

/// " + 0.12 ms"; nothing for zero.
std::string term(double latency_ms, const char* of) {
  if (latency_ms == 0.0) return "";
  return fmt::format(" {} {}{}", latency_ms < 0.0 ? "\u2212" : "+",
                     core::format_ms(std::abs(latency_ms)), of);
}

/// ", 163 estimated from them (± 3.1 %)"; nothing where every unit was measured.
std::string estimated_units(const LatencyInfo& latency) {
  if (latency.num_layers_estimated == 0) return "";
  return fmt::format(", {} estimated from them (\u00b1 {})", latency.num_layers_estimated,
                     percent(latency.mean_rel_deviation));
}

NameValues facts(const LatencyInfo& latency) {
  NameValues out = {{"Device", latency.device_name},
                    {"Runtime", fmt::format("{}, {} {}, {}", latency.runtime, latency.threads,
                                            plural(static_cast<std::size_t>(latency.threads),
                                                   "thread", "threads"),
                                            latency.precision)}};
  for (const auto& [name, value] : latency.description) {
    const bool told = value == latency.runtime || value == latency.precision ||
                      (name == "Threads" && value == fmt::format("{}", latency.threads));
    if (!told) out.emplace_back(name, value);
  }
  out.emplace_back("Table",
                   fmt::format("{} units measured, {} failed{}", latency.num_layers_measured,
                               latency.layer_failures.size(), estimated_units(latency)));
  out.emplace_back(
      "Estimate",
      fmt::format("{:.3f} × sum of units{}{}{}, fitted on {} whole networks", latency.scale,
                  term(latency.offset_ms, ""), term(latency.unit_overhead_ms, " a unit"),
                  term(latency.weight_ms_per_mb, " a MB of weights"), latency.num_fit));
  if (latency.num_check > 0) {
    out.emplace_back("Judged on", fmt::format("{} other networks", latency.num_check));
    out.emplace_back("Mean error", percent(latency.mape));
    out.emplace_back("Within ±10 %", percent(latency.within_10_percent));
    out.emplace_back("R²", coefficient(latency.r2));
    out.emplace_back("Kendall \u03c4", coefficient(latency.kendall_tau));
  }
  return out;
}

PlotPoint latency_point(const std::string& who, double estimated_ms, double measured_ms,
                        const std::string& arch, double deviation_ms = 0.0) {
  const auto deviation = deviation_ms > 0.0 ? std::optional(deviation_ms) : std::nullopt;
  return {estimated_ms, measured_ms,
          fmt::format("{}: estimated {}, measured {} ({:+.1f} %)\n{}", who,
                      estimate_text(estimated_ms, deviation), core::format_ms(measured_ms),
                      (estimated_ms / measured_ms - 1.0) * 100.0, arch),
          ""};
}

/// `main_device`: the one that the verify stage measures on.
Plot scatter(const PageContext& page, const LatencyInfo& latency, bool main_device) {
  Plot plot;
  plot.description =
      "Measured against estimated latency of whole networks on " + latency.device_name;
  plot.x.title = "estimated latency (ms)";
  plot.y.title = "measured latency (ms)";
  plot.identity_band = 0.1;
  PlotSeries checks{"check networks", 0, Marker::kCircle, true, 3.6, {}, false, {}};
  for (const LatencyCheck& check : latency.checks) {
    checks.points.push_back(latency_point("check", check.estimated_ms, check.measured_ms,
                                          check.arch, check.deviation_ms));
  }
  PlotSeries verified{
      "networks of the verify stage", 1, Marker::kDiamond, false, 4.6, {}, false, {}};
  for (const VerifiedNetwork& network : page.data.verified) {
    if (!main_device) break;
    if (!network.estimated_latency_ms || !network.measured_latency_ms) continue;
    verified.points.push_back(latency_point(network.budget, *network.estimated_latency_ms,
                                            *network.measured_latency_ms, network.arch.text));
  }
  plot.series = {checks, verified};
  return plot;
}

std::string failures(const std::string& what,
                     const std::vector<std::pair<std::string, std::string>>& list) {
  if (list.empty()) return "";
  std::string items;
  for (std::size_t i = 0; i < std::min(list.size(), kMaxFailuresShown); ++i) {
    items += fmt::format("<li><code>{}</code>: {}</li>\n", escape_html(list[i].first),
                         escape_html(list[i].second));
  }
  if (list.size() > kMaxFailuresShown) {
    items += fmt::format("<li>and {} more</li>\n", list.size() - kMaxFailuresShown);
  }
  return fmt::format(
      "<p class=\"bad\">{} {} not be measured:</p>\n<ul class=\"failures\">{}</ul>\n",
      number_word(list.size(), true), plural(list.size(), what, what + "s") + " could", items);
}

std::string device_block(const PageContext& page, const LatencyInfo& latency, bool main_device) {
  std::string body = fact_list(facts(latency));
  const Plot plot = scatter(page, latency, main_device);
  if (has_points(plot)) {
    body += render_figure(
        plot, fmt::format(
                  "Whole networks that took no part in fitting the estimate. Points should lie on "
                  "the diagonal; the band is ±10 %. The mean error is {}, {} lie within the band, "
                  "and Kendall\u2019s \u03c4 of {} says how well the order of networks is kept "
                  "(1 is perfect).",
                  percent(latency.mape), percent(latency.within_10_percent),
                  coefficient(latency.kendall_tau)));
  } else {
    body += missing_from_stage(page.data, "check networks", "profile");
  }
  return body + failures("unit", latency.layer_failures) +
         failures("check network", latency.check_failures);
}

}  // namespace

std::string latency_section(const PageContext& page) {
  constexpr const char* kHeading = "Device and latency estimates";
  const std::vector<LatencyInfo>& latencies = page.data.latencies;
  if (latencies.empty()) {
    return section("latency", kHeading, missing_from_stage(page.data, "latency model", "profile"));
  }
  std::string body;
  for (std::size_t i = 0; i < latencies.size(); ++i) {
    if (latencies.size() > 1) {
      body += fmt::format("<h3>{}</h3>\n", escape_html(latencies[i].device_name));
    }
    body += device_block(page, latencies[i], i == 0);
  }
  return section("latency", latencies.size() > 1 ? "Devices and latency estimates" : kHeading,
                 body);
}

}  // namespace omnifit::report
