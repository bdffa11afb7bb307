#include "pipeline/eval.hpp"

#include "core/file_io.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "formats/network_file.hpp"
#include "pipeline/collection.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/runner.hpp"
#include "pipeline/scoring.hpp"
#include "report/result_rows.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "supernet/start_weights.hpp"

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

PlanCosts plan_costs(const space::NetworkPlan& plan) {
  return {space::macs(plan), space::params_count(plan), space::peak_activation_bytes(plan),
          space::model_bytes(plan)};
}

std::vector<std::string> cost_texts(const PlanCosts& costs) {
  return {core::format_count(static_cast<double>(costs.macs)),
          core::format_count(static_cast<double>(costs.params)),
          core::format_bytes(static_cast<double>(costs.peak_memory_bytes)),
          core::format_bytes(static_cast<double>(costs.model_bytes))};
}

void add_costs(const PlanCosts& costs, nlohmann::ordered_json& json) {
  json["macs"] = costs.macs;
  json["params"] = costs.params;
  json["peak_memory_bytes"] = costs.peak_memory_bytes;
  json["model_bytes"] = costs.model_bytes;
}

/// The images of a job as far as measuring a network on `split` needs them.
supernet::Dataset load_images(const Job& job, supernet::Split split, int resolution_px) {
  supernet::DataConfig config = job.data;
  // Pictures of any size are cut at the network's resolution, which gives what the reference sees.
  // The job's own resize_px belongs to the job's image_px.
  if (config.format == supernet::DataFormat::kImageFolder && config.image_px != resolution_px) {
    config.image_px = resolution_px;
    config.resize_px = 0;
  }
  const bool alone = split == supernet::Split::kTest && !config.mean.empty();
  return alone ? supernet::load_test_split(config, job.config.seed)
               : supernet::load_dataset(config, job.config.seed);
}

template <class Format>
std::string or_dash(const std::optional<double>& value, Format format) {
  return value ? format(*value) : std::string("–");
}

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

std::vector<space::Arch> parse_archs(const space::SearchSpace& space,
                                     const std::vector<std::string>& texts) {
  std::vector<space::Arch> archs;
  for (const std::string& text : texts) archs.push_back(space::parse_any_arch(space, text));
  return archs;
}

/// What a measured accuracy and the plan say of a subnet.
EvalRow measured_row(const space::SearchSpace& space, const space::Arch& arch,
                     const space::TaskIo& io, const supernet::SubnetAccuracy& accuracy) {
  EvalRow row;
  row.arch = space::to_text(space, arch);
  row.top1 = accuracy.top1;
  row.top5 = accuracy.top5;
  row.loss = accuracy.loss;
  row.num_images = accuracy.num_images;
  row.costs = plan_costs(space::lower(space, arch, io));
  return row;
}

/// How sure the table's estimate is; nothing where every unit of the arch was measured.
std::optional<double> deviation_ms(RunContext& context, const latency::LatencyTable& table,
                                   const space::Arch& arch) {
  const auto estimate = table.estimate(space::lower(context.space(), arch, context.io()));
  if (!estimate || estimate->num_estimated == 0) return std::nullopt;
  return estimate->latency.deviation_ms;
}

std::string estimate_cell(const EvalRow& row) {
  if (!row.estimated_latency_ms) return or_dash({}, core::format_ms);
  return report::estimate_text(*row.estimated_latency_ms, row.estimated_latency_deviation_ms);
}

}  // namespace

std::vector<EvalRow> evaluate_archs(RunContext& context, const EvalRequest& request) {
  use_finished_stages(context);
  if (context.results.count(Stage::kTrain) == 0) {
    throw StateError(fmt::format("eval needs a trained supernet; run: omnifit train {}",
                                 core::path_text(context.job().file)));
  }
  const std::vector<space::Arch> archs = parse_archs(context.space(), request.archs);
  const std::vector<supernet::SubnetAccuracy> accuracies =
      measure_accuracies(context, archs, parse_split(request.split), 0, "eval");
  std::unique_ptr<JobScoring> scoring;
  const bool can_predict = context.results.count(Stage::kFit) > 0 || !context.config().predicts();
  if (can_predict && context.results.count(Stage::kProfile) > 0) {
    scoring = std::make_unique<JobScoring>(context, best_predictor(context));
  }
  std::optional<latency::LatencyTable> table;
  if (scoring) table = latency_tables(context).front().table;
  std::vector<EvalRow> rows;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    EvalRow row = measured_row(context.space(), archs[i], context.io(), accuracies[i]);
    if (table) row.estimated_latency_deviation_ms = deviation_ms(context, *table, archs[i]);
    if (scoring) {
      row.predicted_top1 = scoring->predicted_top1(archs[i]);
      row.estimated_latency_ms = scoring->latency_ms(archs[i]);
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
    std::vector<std::string> cells = {
        row.arch, core::format_percent(row.top1), or_dash(row.predicted_top1, core::format_percent),
        or_dash(row.measured_latency_ms, core::format_ms), estimate_cell(row)};
    for (std::string& text : cost_texts(row.costs)) cells.push_back(std::move(text));
    table.add_row(std::move(cells));
  }
  return table.str();
}

std::string eval_json(const std::vector<EvalRow>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const EvalRow& row : rows) {
    nlohmann::ordered_json json{
        {"arch", row.arch},
        {"top1", row.top1},
        {"top5", row.top5},
        {"loss", row.loss},
        {"num_images", row.num_images},
        {"predicted_top1", or_null(row.predicted_top1)},
        {"measured_latency_ms", or_null(row.measured_latency_ms)},
        {"estimated_latency_ms", or_null(row.estimated_latency_ms)},
        {"estimated_latency_deviation_ms", or_null(row.estimated_latency_deviation_ms)}};
    add_costs(row.costs, json);
    list.push_back(std::move(json));
  }
  return list.dump(2) + "\n";
}

std::vector<EvalRow> evaluate_checkpoint(const Job& job, const CheckpointEvalRequest& request) {
  const supernet::Split split = parse_split(request.split);
  const std::vector<space::Arch> archs = parse_archs(job.space, request.archs);
  const supernet::Dataset data = supernet::load_dataset(job.data, job.config.seed);
  const space::TaskIo io = job.task_io(data);
  supernet::StartWeights weights = supernet::load_start_weights(
      request.file, job.space, io, supernet::OtherClasses::kRefuse, job.config.seed);
  weights.network.to_device(job.compute);
  supernet::EvalOptions options;
  options.calibration_images = job.config.train.calibration_images;
  options.threads = job.threads;
  const supernet::SubnetEvaluator evaluator(weights.network, job.space, data);
  const std::vector<supernet::SubnetAccuracy> accuracies =
      evaluator.evaluate(archs, split, options);
  std::vector<EvalRow> rows;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    rows.push_back(measured_row(job.space, archs[i], io, accuracies[i]));
  }
  return rows;
}

NetworkEvalRow evaluate_network_file(const Job& job, const NetworkEvalRequest& request) {
  const supernet::Split split = parse_split(request.split);
  const formats::FoldedNetwork network = formats::read_network_file(request.file).network;
  const supernet::Dataset data = load_images(job, split, network.plan.resolution_px);
  supernet::NetworkEvalOptions options;
  options.threads = job.threads;
  options.device = job.compute;
  NetworkEvalRow row;
  row.network = core::path_text(request.file.filename());
  row.data = data.name;
  row.split = request.split;
  row.resolution_px = network.plan.resolution_px;
  row.accuracy = supernet::evaluate_network(network, data, split, options);
  row.costs = plan_costs(network.plan);
  return row;
}

std::string network_eval_table(const NetworkEvalRow& row) {
  using core::Align;
  const supernet::NetworkAccuracy& accuracy = row.accuracy;
  const bool some = accuracy.num_shown_classes < accuracy.num_classes;
  std::vector<core::TextTable::Column> columns = {
      {"network"},
      {"images", Align::kRight},
      {fmt::format("top-1 of {}", accuracy.num_classes), Align::kRight},
      {"top-5", Align::kRight}};
  std::vector<std::string> cells = {
      row.network, fmt::format("{} ({} {})", accuracy.num_images, row.data, row.split),
      core::format_percent(accuracy.top1), core::format_percent(accuracy.top5)};
  if (some) {
    columns.push_back(
        {fmt::format("top-1 of {} shown", accuracy.num_shown_classes), Align::kRight});
    cells.push_back(core::format_percent(accuracy.shown_top1));
  }
  for (const char* name : {"MACs", "parameters", "peak memory", "model size"})
    columns.push_back({name, Align::kRight});
  for (std::string& text : cost_texts(row.costs)) cells.push_back(std::move(text));
  core::TextTable table(columns);
  table.add_row(std::move(cells));
  return table.str();
}

std::string network_eval_json(const NetworkEvalRow& row) {
  const supernet::NetworkAccuracy& accuracy = row.accuracy;
  nlohmann::ordered_json json{{"network", row.network},
                              {"data", row.data},
                              {"split", row.split},
                              {"resolution_px", row.resolution_px},
                              {"num_images", accuracy.num_images},
                              {"num_classes", accuracy.num_classes},
                              {"top1", accuracy.top1},
                              {"top5", accuracy.top5},
                              {"loss", accuracy.loss},
                              {"num_shown_classes", accuracy.num_shown_classes},
                              {"shown_top1", accuracy.shown_top1}};
  add_costs(row.costs, json);
  return json.dump(2) + "\n";
}

}  // namespace omnifit::pipeline
