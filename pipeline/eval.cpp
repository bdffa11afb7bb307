#include "pipeline/eval.hpp"

#include "core/table.hpp"
#include "core/units.hpp"
#include "pipeline/collection.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/runner.hpp"
#include "pipeline/scoring.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"

#include <nlohmann/json.hpp>

namespace omnifit::pipeline {
namespace {

supernet::Split parse_split(const std::string& name) {
  for (const supernet::Split split :
       {supernet::Split::kTrain, supernet::Split::kValidation, supernet::Split::kTest}) {
    if (name == supernet::split_name(split)) return split;
  }
  throw ConfigError(fmt::format("unknown split '{}' (allowed: train, validation, test)", name));
}

EvalRow cost_row(RunContext& context, const space::Arch& arch) {
  const space::NetworkPlan plan = space::lower(context.space(), arch, context.io());
  EvalRow row;
  row.arch = space::to_text(context.space(), arch);
  row.macs = space::macs(plan);
  row.params = space::params_count(plan);
  row.peak_memory_bytes = space::peak_activation_bytes(plan);
  row.model_bytes = space::model_bytes(plan);
  return row;
}

template <class Format>
std::string or_dash(const std::optional<double>& value, Format format) {
  return value ? format(*value) : std::string("–");
}

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

}  // namespace

std::vector<EvalRow> evaluate_archs(RunContext& context, const EvalRequest& request) {
  use_finished_stages(context);
  if (context.results.count(Stage::kTrain) == 0) {
    throw StateError(fmt::format("eval needs a trained supernet; run: omnifit train {}",
                                 context.job().file.string()));
  }
  std::vector<space::Arch> archs;
  for (const std::string& text : request.archs)
    archs.push_back(space::parse_any_arch(context.space(), text));
  const std::vector<supernet::SubnetAccuracy> accuracies =
      measure_accuracies(context, archs, parse_split(request.split), 0, "eval");
  std::unique_ptr<JobScoring> scoring;
  if (context.results.count(Stage::kFit) > 0 && context.results.count(Stage::kProfile) > 0) {
    scoring = std::make_unique<JobScoring>(context);
  }
  std::vector<EvalRow> rows;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    EvalRow row = cost_row(context, archs[i]);
    row.top1 = accuracies[i].top1;
    row.top5 = accuracies[i].top5;
    row.loss = accuracies[i].loss;
    row.num_images = accuracies[i].num_images;
    if (scoring) {
      row.predicted_top1 = scoring->evaluator().predicted_top1(archs[i]);
      row.estimated_latency_ms = scoring->evaluator().cost(Cost::kLatency, archs[i]);
    }
    if (request.latency) {
      row.measured_latency_ms =
          measure_network(context, archs[i], latency::NetworkPurpose::kEval).median_ms;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string eval_table(const std::vector<EvalRow>& rows) {
  using core::Align;
  core::TextTable table({{"arch"},
                         {"measured top-1", Align::kRight},
                         {"predicted", Align::kRight},
                         {"measured latency", Align::kRight},
                         {"estimated", Align::kRight},
                         {"MACs", Align::kRight},
                         {"parameters", Align::kRight},
                         {"peak memory", Align::kRight},
                         {"model size", Align::kRight}});
  for (const EvalRow& row : rows) {
    table.add_row({row.arch, core::format_percent(row.top1),
                   or_dash(row.predicted_top1, core::format_percent),
                   or_dash(row.measured_latency_ms, core::format_ms),
                   or_dash(row.estimated_latency_ms, core::format_ms),
                   core::format_count(static_cast<double>(row.macs)),
                   core::format_count(static_cast<double>(row.params)),
                   core::format_bytes(static_cast<double>(row.peak_memory_bytes)),
                   core::format_bytes(static_cast<double>(row.model_bytes))});
  }
  return table.str();
}

std::string eval_json(const std::vector<EvalRow>& rows) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const EvalRow& row : rows) {
    json.push_back({{"arch", row.arch},
                    {"top1", row.top1},
                    {"top5", row.top5},
                    {"loss", row.loss},
                    {"num_images", row.num_images},
                    {"predicted_top1", or_null(row.predicted_top1)},
                    {"measured_latency_ms", or_null(row.measured_latency_ms)},
                    {"estimated_latency_ms", or_null(row.estimated_latency_ms)},
                    {"macs", row.macs},
                    {"params", row.params},
                    {"peak_memory_bytes", row.peak_memory_bytes},
                    {"model_bytes", row.model_bytes}});
  }
  return json.dump(2) + "\n";
}

}  // namespace omnifit::pipeline
