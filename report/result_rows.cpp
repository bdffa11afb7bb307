#include "report/result_rows.hpp"

#include "core/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace omnifit::report {
namespace {

ResultRow row_of(const VerifiedNetwork& network, ResultRow::Kind kind) {
  ResultRow row;
  row.kind = kind;
  row.budget = network.budget;
  row.bound = network.bound;
  row.arch = network.arch;
  row.predicted_top1 = network.predicted_top1;
  row.estimated_latency_ms = network.estimated_latency_ms;
  row.measured_top1 = network.measured_top1;
  row.measured_latency_ms = network.measured_latency_ms;
  return row;
}

/// Budgets in the order they were searched; ones that were only verified follow.
std::vector<std::string> budgets(const ReportData& data) {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const SearchRun& run : data.searches) add(run.budget);
  for (const VerifiedNetwork& network : data.verified) {
    if (network.role == "winner" || network.role == "over_budget") add(network.budget);
  }
  return names;
}

/// What the search alone can say of a budget.
ResultRow searched_row(const ReportData& data, const std::string& budget) {
  ResultRow row;
  row.kind = ResultRow::Kind::kNothing;
  row.budget = budget;
  for (const SearchRun& run : data.searches) {
    if (run.budget != budget || run.baseline || run.results.empty()) continue;
    const SearchCandidate& best = run.results.front();
    const bool looked_up = run.top1_source == Top1Source::kTable;
    row.kind = looked_up ? ResultRow::Kind::kLookedUp : ResultRow::Kind::kPending;
    row.arch = best.arch;
    switch (run.top1_source) {
      case Top1Source::kPredicted:
        row.predicted_top1 = best.top1;
        break;
      case Top1Source::kMeasured:
        row.validation_top1 = best.top1;
        break;
      case Top1Source::kTable:
        row.measured_top1 = best.top1;
        break;
    }
    (looked_up ? row.measured_latency_ms : row.estimated_latency_ms) = best.latency_ms;
    break;
  }
  return row;
}

ResultRow budget_row(const ReportData& data, const std::string& budget) {
  const VerifiedNetwork* winner = nullptr;
  const VerifiedNetwork* last_rejected = nullptr;
  int num_rejected = 0;
  for (const VerifiedNetwork& network : data.verified) {
    if (network.budget != budget) continue;
    if (network.role == "winner") winner = &network;
    if (network.role == "over_budget") {
      last_rejected = &network;
      ++num_rejected;
    }
  }
  ResultRow row = winner != nullptr          ? row_of(*winner, ResultRow::Kind::kWinner)
                  : last_rejected != nullptr ? row_of(*last_rejected, ResultRow::Kind::kMissed)
                                             : searched_row(data, budget);
  row.num_rejected = num_rejected;
  return row;
}

/// The device on which a budget's latencies are estimated: the one that it bounds, else the job's
/// main one. Null if the job has no estimates of it.
const LatencyInfo* device_of(const ReportData& data, const std::string& budget) {
  constexpr std::string_view kOfDevice = "latency_ms@";
  std::string name;
  for (const SearchRun& run : data.searches) {
    if (run.budget != budget) continue;
    for (const auto& [metric, bound] : run.bounds) {
      const std::size_t at = metric.find(kOfDevice);
      if (name.empty() && at != std::string::npos) name = metric.substr(at + kOfDevice.size());
    }
  }
  for (const LatencyInfo& latency : data.latencies) {
    if (name.empty() || latency.device_name == name) return &latency;
  }
  return nullptr;
}

void attach_error(const ReportData& data, ResultRow& row) {
  if (!row.estimated_latency_ms) return;
  const LatencyInfo* device = device_of(data, row.budget);
  if (device != nullptr && device->mape) {
    row.estimated_latency_error_ms = *device->mape * *row.estimated_latency_ms;
  }
}

void attach_files(const ReportData& data, ResultRow& row) {
  if (row.kind == ResultRow::Kind::kPending || row.kind == ResultRow::Kind::kLookedUp ||
      row.kind == ResultRow::Kind::kNothing) {
    return;
  }
  for (const ExportedFile& file : data.exports) {
    if (file.budget == row.budget) row.files.push_back(file);
  }
}

std::string readable_amount(std::string_view metric, std::string_view amount) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(amount.data(), amount.data() + amount.size(), value);
  if (error != std::errc() || end != amount.data() + amount.size()) return std::string(amount);
  if (metric == "latency_ms") return core::format_ms(value);
  if (metric == "macs" || metric == "params") return core::format_count(value);
  if (metric == "peak_memory_bytes" || metric == "model_bytes") return core::format_bytes(value);
  return std::string(amount);
}

std::string readable_metric(std::string_view metric) {
  if (metric == "latency_ms") return "latency";
  if (metric == "macs") return "MACs";
  if (metric == "params") return "parameters";
  if (metric == "peak_memory_bytes" || metric == "peak_memory") return "peak memory";
  if (metric == "model_bytes" || metric == "model_size") return "model size";
  return std::string(metric);
}

}  // namespace

const char* kind_name(ResultRow::Kind kind) {
  switch (kind) {
    case ResultRow::Kind::kWinner:
      return "winner";
    case ResultRow::Kind::kMissed:
      return "missed";
    case ResultRow::Kind::kPending:
      return "pending";
    case ResultRow::Kind::kLookedUp:
      return "looked up";
    case ResultRow::Kind::kNothing:
      return "nothing";
    case ResultRow::Kind::kLargest:
      return "largest";
    case ResultRow::Kind::kSmallest:
      return "smallest";
  }
  return "";
}

std::vector<ResultRow> result_rows(const ReportData& data) {
  std::vector<ResultRow> rows;
  for (const std::string& budget : budgets(data)) rows.push_back(budget_row(data, budget));
  for (const char* role : {"largest", "smallest"}) {
    for (const VerifiedNetwork& network : data.verified) {
      if (network.role != role) continue;
      const bool largest = network.role == "largest";
      rows.push_back(
          row_of(network, largest ? ResultRow::Kind::kLargest : ResultRow::Kind::kSmallest));
      break;
    }
  }
  for (ResultRow& row : rows) {
    attach_files(data, row);
    attach_error(data, row);
    if (row.kind == ResultRow::Kind::kLargest || row.kind == ResultRow::Kind::kSmallest) {
      row.budget = kind_name(row.kind);
    }
  }
  return rows;
}

std::vector<TruthRow> truth_rows(const ReportData& data) {
  std::vector<TruthRow> rows;
  for (const SearchRun& truth : data.searches) {
    if (!truth.baseline || truth.strategy != "exhaustive" || !truth.best_top1) continue;
    TruthRow row{.budget = truth.budget, .best_top1 = *truth.best_top1};
    const auto run = std::ranges::find_if(data.searches, [&](const SearchRun& candidate) {
      return !candidate.baseline && candidate.budget == truth.budget;
    });
    row.found_top1 = run->best_top1;
    const bool looked_for_top1 = std::ranges::any_of(
        run->generations,
        [](const GenerationPoint& generation) { return generation.best_top1.has_value(); });
    if (looked_for_top1 && run->best_top1) row.gap = *truth.best_top1 - *run->best_top1;
    if (run->hypervolume && truth.hypervolume && *truth.hypervolume > 0.0) {
      row.front_share = *run->hypervolume / *truth.hypervolume;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string estimate_text(double estimated_ms, std::optional<double> error_ms) {
  std::string text = core::format_ms(estimated_ms);
  if (!error_ms || !std::isfinite(*error_ms)) return text;
  // More digits than two would say more than is known.
  const std::string error =
      *error_ms < 9.95 ? fmt::format("{:#.2g}", *error_ms) : fmt::format("{:.0f}", *error_ms);
  const std::size_t unit = text.find(' ');
  return fmt::format("{} \u00b1 {}{}", text.substr(0, unit), error, text.substr(unit));
}

const ResultRow* find_row(const std::vector<ResultRow>& rows, ResultRow::Kind kind) {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ResultRow& row) { return row.kind == kind; });
  return found == rows.end() ? nullptr : &*found;
}

std::string readable_bound(const std::string& bound) {
  constexpr std::string_view kSeparator = ", ";
  constexpr std::string_view kRelation = " <= ";
  std::string out;
  std::string_view rest = bound;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(kSeparator), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + kSeparator.size(), rest.size()));
    if (!out.empty()) out += ", ";
    const std::size_t at = part.find(kRelation);
    if (at == std::string_view::npos) {
      out += part;
      continue;
    }
    const std::string_view metric = part.substr(0, at);
    out += readable_metric(metric) + " \xE2\x89\xA4 " +
           readable_amount(metric, part.substr(at + kRelation.size()));
  }
  return out;
}

std::string proof_text(const ExportedFile& file) {
  std::string text = file.proof == "proven"       ? "proven"
                     : file.proof == "not_proven" ? "not proven"
                                                  : "not applicable";
  if (file.max_rel_difference) text += fmt::format(", difference {:.1e}", *file.max_rel_difference);
  if (!file.note.empty()) {
    text += file.proof == "proven" ? " (" + file.note + ")" : ": " + file.note;
  }
  return text;
}

}  // namespace omnifit::report
