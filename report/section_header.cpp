#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace omnifit::report {
namespace {

std::vector<const ResultRow*> winners(const PageContext& page) {
  std::vector<const ResultRow*> found;
  for (const ResultRow& row : page.rows) {
    if (row.kind == ResultRow::Kind::kWinner) found.push_back(&row);
  }
  return found;
}

std::size_t count_budgets(const PageContext& page) {
  return static_cast<std::size_t>(
      std::count_if(page.rows.begin(), page.rows.end(), [](const ResultRow& row) {
        return row.kind != ResultRow::Kind::kLargest && row.kind != ResultRow::Kind::kSmallest;
      }));
}

std::string points(double fraction) { return fmt::format("{:.2f} points", fraction * 100.0); }

/// Where a search has had its say about every budget and nobody has measured a network.
std::string candidates_only(const PageContext& page, std::size_t num_budgets) {
  const auto count = [&page](ResultRow::Kind kind) {
    return static_cast<std::size_t>(std::ranges::count(page.rows, kind, &ResultRow::kind));
  };
  const std::size_t num_pending = count(ResultRow::Kind::kPending);
  const std::size_t num_looked_up = count(ResultRow::Kind::kLookedUp);
  if (num_budgets == 0 || num_pending + num_looked_up != num_budgets) return "";
  const std::string budgets =
      fmt::format("{} {}", number_word(num_budgets), plural(num_budgets, "budget", "budgets"));
  const std::string number = number_word(num_budgets, true);
  if (num_looked_up > 0) {
    return fmt::format("{} {} for {}, looked up in tables.", number,
                       plural(num_budgets, "subnet", "subnets"), budgets);
  }
  const bool measured = page.data.searches.front().top1_source == Top1Source::kMeasured;
  return fmt::format("{} {} for {}, {}.", number, plural(num_budgets, "candidate", "candidates"),
                     budgets,
                     measured ? "measured on validation images and not yet verified"
                              : "by prediction; no network is measured yet");
}

/// What comes before any comparison: how many budgets have their network.
std::string headline(const PageContext& page) {
  const std::size_t num_budgets = count_budgets(page);
  const std::size_t num_winners = winners(page).size();
  if (num_budgets == 0) return "No network yet: no budget has been searched.";
  const std::string budgets = plural(num_budgets, "budget", "budgets");
  if (std::string text = candidates_only(page, num_budgets); !text.empty()) return text;
  if (num_winners == num_budgets) {
    return fmt::format("{} {} for {} {}, from one trained supernet.",
                       number_word(num_winners, true), plural(num_winners, "network", "networks"),
                       number_word(num_budgets), budgets);
  }
  const auto num_missed = static_cast<std::size_t>(
      std::count_if(page.rows.begin(), page.rows.end(), [](const ResultRow& row) {
        return row.kind == ResultRow::Kind::kMissed || row.kind == ResultRow::Kind::kNothing;
      }));
  const std::string missed = num_missed == 0
                                 ? ""
                                 : fmt::format("; {} {} not met", number_word(num_missed),
                                               plural(num_missed, "was", "were"));
  const bool unfinished = num_winners + num_missed < num_budgets;
  return fmt::format("{} of {} {} {} a network{}{}.",
                     num_winners == 0 ? "None" : number_word(num_winners, true),
                     number_word(num_budgets), budgets, num_winners < 2 ? "has" : "have",
                     unfinished ? " so far" : "", missed);
}

/// The fastest winner against the largest subnet, as far as both were measured.
std::string comparison(const PageContext& page) {
  const ResultRow* largest = find_row(page.rows, ResultRow::Kind::kLargest);
  if (largest == nullptr || !largest->measured_top1) return "";
  const bool by_latency = largest->measured_latency_ms && *largest->measured_latency_ms > 0.0;
  const auto cost = [by_latency](const ResultRow& row) {
    if (by_latency) return row.measured_latency_ms.value_or(INFINITY);
    return row.arch && row.arch->macs ? static_cast<double>(*row.arch->macs) : INFINITY;
  };
  const ResultRow* leanest = nullptr;
  for (const ResultRow* row : winners(page)) {
    if (!row->measured_top1 || !(cost(*row) > 0.0) || !std::isfinite(cost(*row))) continue;
    if (leanest == nullptr || cost(*row) < cost(*leanest)) leanest = row;
  }
  if (leanest == nullptr || !std::isfinite(cost(*largest))) return "";
  const double ratio = cost(*largest) / cost(*leanest);
  const double loss = *largest->measured_top1 - *leanest->measured_top1;
  const std::string price = loss > 0.0 ? fmt::format("{} below it", points(loss))
                                       : fmt::format("{} above it", points(-loss));
  const std::string text =
      by_latency
          ? fmt::format(
                "The fastest runs in {}, {:.1f} times as fast as the largest subnet ({}), "
                "and reaches {} top-1 on test images, {}.",
                unbroken(core::format_ms(cost(*leanest))), ratio,
                unbroken(core::format_ms(cost(*largest))),
                unbroken(core::format_percent(*leanest->measured_top1)), price)
          : fmt::format(
                "The leanest needs {} MACs, {:.1f} times fewer than the largest subnet ({}), "
                "and reaches {} top-1 on test images, {}.",
                unbroken(core::format_count(cost(*leanest))), ratio,
                unbroken(core::format_count(cost(*largest))),
                unbroken(core::format_percent(*leanest->measured_top1)), price);
  return fmt::format("<p class=\"lead\">{}</p>\n", escape_html(text));
}

std::string origin(const ReportData& data) {
  std::vector<std::string> parts;
  if (data.space)
    parts.push_back(fmt::format("space {}/v{}", data.space->name, data.space->version));
  if (data.dataset) parts.push_back("data set " + data.dataset->name);
  for (const LatencyInfo& latency : data.latencies) {
    parts.push_back("device " + latency.device_name);
  }
  if (data.job) parts.push_back("job of " + data.job->created_at.substr(0, 10));
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += " \u00b7 ";
    out += part;
  }
  return out.empty() ? "" : fmt::format("<p class=\"origin\">{}</p>\n", escape_html(out));
}

std::string contents(const ReportData& data) {
  std::string links;
  const auto add = [&links](const char* id, const char* name) {
    links += fmt::format("{}<a href=\"#{}\">{}</a>", links.empty() ? "" : " ", id, name);
  };
  add("networks", "Networks");
  add("front", "Trade-off");
  if (!is_tabular(data)) {
    add("training", "Training");
    add("latency", "Latency");
    add("predictor", "Predictor");
  }
  add("search", "Search");
  if (!is_tabular(data)) add("files", "Files");
  add("stages", "Stages");
  add("reproduce", "Reproduce");
  return fmt::format("<nav aria-label=\"Contents\">{}</nav>\n", links);
}

}  // namespace

std::string header_section(const PageContext& page) {
  return fmt::format("<header>\n<p class=\"kicker\">{}</p>\n<h1>{}</h1>\n{}{}{}</header>\n",
                     escape_html(page.data.title), escape_html(headline(page)), comparison(page),
                     origin(page.data), contents(page.data));
}

}  // namespace omnifit::report
