#include "report/summary_table.hpp"

#include "core/table.hpp"
#include "core/units.hpp"
#include "report/html.hpp"
#include "report/result_rows.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace omnifit::report {
namespace {

constexpr const char* kNone = "\xE2\x80\x93";

std::string percent_cell(const std::optional<double>& fraction) {
  return fraction ? core::format_percent(*fraction) : kNone;
}

std::string ms_cell(const std::optional<double>& latency_ms) {
  return latency_ms ? core::format_ms(*latency_ms) : kNone;
}

std::string estimate_cell(const ResultRow& row) {
  return row.estimated_latency_ms
             ? estimate_text(*row.estimated_latency_ms, row.estimated_latency_error_ms)
             : kNone;
}

/// What the errors beside the estimates are; empty where there are none.
std::string error_line(const std::vector<ResultRow>& rows) {
  const bool any = std::ranges::any_of(
      rows, [](const ResultRow& row) { return row.estimated_latency_error_ms.has_value(); });
  return any ? "\u00b1 is the mean error of the estimates on networks they were not fitted on\n"
             : "";
}

const ExportedFile* onnx_file(const ResultRow& row) {
  const auto found = std::find_if(row.files.begin(), row.files.end(),
                                  [](const ExportedFile& file) { return file.format == "onnx"; });
  return found == row.files.end() ? nullptr : &*found;
}

/// Why a row has no file, or how far its file is proven.
std::string state_cell(const ResultRow& row) {
  switch (row.kind) {
    case ResultRow::Kind::kMissed:
      return fmt::format(
          "over budget: {} {} measured, none kept it", row.num_rejected,
          plural(static_cast<std::size_t>(row.num_rejected), "candidate", "candidates"));
    case ResultRow::Kind::kPending:
      return row.validation_top1
                 ? core::format_percent(*row.validation_top1) + " on validation images"
                 : "not measured yet";
    case ResultRow::Kind::kLookedUp:
      return "looked up in the tables";
    case ResultRow::Kind::kNothing:
      return "the search found no subnet within it";
    case ResultRow::Kind::kWinner:
    case ResultRow::Kind::kLargest:
    case ResultRow::Kind::kSmallest:
      break;
  }
  if (const ExportedFile* file = onnx_file(row)) return clean_text(proof_text(*file));
  return row.kind == ResultRow::Kind::kWinner ? "not exported yet" : "for comparison";
}

nlohmann::ordered_json json_number(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return *value;
}

template <class Integer>
nlohmann::ordered_json json_count(const std::optional<Integer>& count) {
  return count ? nlohmann::ordered_json(*count) : nlohmann::ordered_json();
}

nlohmann::ordered_json json_file(const ExportedFile& file) {
  return {{"format", file.format},
          {"path", file.path},
          {"size_bytes", file.size_bytes},
          {"sha256", file.sha256},
          {"proof", file.proof},
          {"max_rel_difference", json_number(file.max_rel_difference)},
          {"note", file.note}};
}

nlohmann::ordered_json json_row(const ResultRow& row) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const ExportedFile& file : row.files) files.push_back(json_file(file));
  nlohmann::ordered_json out = {
      {"budget", row.budget},
      {"state", kind_name(row.kind)},
      {"bound", row.bound},
      {"arch", nullptr},
      {"resolution_px", nullptr},
      {"macs", nullptr},
      {"params", nullptr},
      {"peak_memory_bytes", nullptr},
      {"model_bytes", nullptr},
      {"predicted_top1", json_number(row.predicted_top1)},
      {"validation_top1", json_number(row.validation_top1)},
      {"measured_top1", json_number(row.measured_top1)},
      {"estimated_latency_ms", json_number(row.estimated_latency_ms)},
      {"estimated_latency_error_ms", json_number(row.estimated_latency_error_ms)},
      {"measured_latency_ms", json_number(row.measured_latency_ms)},
      {"num_rejected", row.num_rejected},
      {"files", files}};
  if (row.arch) {
    out["arch"] = row.arch->text;
    out["resolution_px"] = json_count(row.arch->resolution_px);
    out["macs"] = json_count(row.arch->macs);
    out["params"] = json_count(row.arch->params_count);
    out["peak_memory_bytes"] = json_count(row.arch->peak_memory_bytes);
    out["model_bytes"] = json_count(row.arch->model_bytes);
  }
  return out;
}

/// How far the searches are from the best there is; empty where that is not known.
std::string truth_table(const ReportData& data) {
  const std::vector<TruthRow> rows = truth_rows(data);
  if (rows.empty()) return "";
  using core::Align;
  core::TextTable table({{"budget", Align::kLeft},
                         {"best of all subnets", Align::kRight},
                         {"found", Align::kRight},
                         {"gap", Align::kRight},
                         {"share of the true front", Align::kRight}});
  for (const TruthRow& row : rows) {
    table.add_row({clean_text(row.budget), core::format_percent(row.best_top1),
                   percent_cell(row.found_top1),
                   row.gap ? fmt::format("{:.2f} points", *row.gap * 100.0) : kNone,
                   row.front_share ? fmt::format("{:.2f} %", *row.front_share * 100.0) : kNone});
  }
  return "\n" + table.str();
}

nlohmann::ordered_json json_truth(const TruthRow& row) {
  return {{"budget", row.budget},
          {"best_top1", row.best_top1},
          {"found_top1", json_number(row.found_top1)},
          {"gap", json_number(row.gap)},
          {"front_share", json_number(row.front_share)}};
}

}  // namespace

std::string summary_table(const ReportData& data) {
  const std::vector<ResultRow> rows = result_rows(data);
  if (rows.empty()) return "No result yet: no budget was searched and no network measured.\n";
  using core::Align;
  core::TextTable table({{"budget", Align::kLeft},
                         {"predicted top-1", Align::kRight},
                         {"measured top-1", Align::kRight},
                         {"estimated latency", Align::kRight},
                         {"measured latency", Align::kRight},
                         {"MACs", Align::kRight},
                         {"parameters", Align::kRight},
                         {"ONNX file", Align::kLeft},
                         {"proof", Align::kLeft}});
  for (const ResultRow& row : rows) {
    const ExportedFile* file = onnx_file(row);
    const auto cost = [&row](std::optional<std::int64_t> ArchInfo::*field) {
      const bool known = row.arch && (*row.arch).*field;
      return known ? core::format_count(static_cast<double>(*((*row.arch).*field))) : kNone;
    };
    table.add_row({clean_text(row.budget), percent_cell(row.predicted_top1),
                   percent_cell(row.measured_top1), estimate_cell(row),
                   ms_cell(row.measured_latency_ms), cost(&ArchInfo::macs),
                   cost(&ArchInfo::params_count), file != nullptr ? clean_text(file->path) : kNone,
                   state_cell(row)});
  }
  return table.str() + error_line(rows) + truth_table(data);
}

std::string summary_json(const ReportData& data) {
  nlohmann::ordered_json networks = nlohmann::ordered_json::array();
  for (const ResultRow& row : result_rows(data)) networks.push_back(json_row(row));
  nlohmann::ordered_json out = {{"title", data.title}, {"networks", networks}};
  for (const TruthRow& row : truth_rows(data)) out["exhaustive"].push_back(json_truth(row));
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace omnifit::report
