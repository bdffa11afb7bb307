#include "pipeline/latency_source.hpp"

#include "latency_lut/network_choice.hpp"
#include "pipeline/pipeline_store.hpp"
#include "space/lower.hpp"

#include <cmath>
#include <optional>
#include <utility>

namespace omnifit::pipeline {
namespace {

/// Times a network until two results in a row agree, a few times at most, and keeps the fastest:
/// whatever disturbs a machine makes it slower, for longer than one measurement lasts.
latency::MeasurementResult time_alone(latency::LayerTimer& timer, const space::NetworkPlan& plan,
                                      const latency::ProfileConfig& config) {
  constexpr int kMaxAttempts = 6;
  std::optional<latency::Measurement> best;
  double previous_ms = 0.0;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const latency::MeasurementResult result =
        latency::summarise(latency::time_one(timer, plan, config.protocol));
    const auto* measured = std::get_if<latency::Measurement>(&result);
    if (measured == nullptr) return result;
    if (!best || measured->median_ms < best->median_ms) best = *measured;
    if (attempt > 0 && std::abs(measured->median_ms / previous_ms - 1.0) <= config.max_drift_ratio)
      break;
    previous_ms = measured->median_ms;
  }
  return *best;
}

/// Times a network in turns with the space's reference network until the ratios agree; alone where
/// the profile of the device had no reference.
latency::MeasurementResult time_network(RunContext& context, const space::NetworkPlan& plan,
                                        double usual_reference_ms) {
  const latency::ProfileConfig& config = context.config().profile;
  latency::LayerTimer& timer = context.timer(context.config().device);
  if (usual_reference_ms <= 0.0) return time_alone(timer, plan, config);
  constexpr int kFewestTimings = 3;
  constexpr int kMostTimings = 8;
  const space::NetworkPlan reference = latency::reference_network(context.space(), context.io());
  std::vector<latency::Timing> timings;
  while (true) {
    const latency::MeasurementResult result =
        latency::summarise(latency::time_one(timer, plan, config.protocol, &reference));
    const auto* measured = std::get_if<latency::Measurement>(&result);
    if (measured == nullptr) return result;
    timings.push_back(measured->timings.front());
    latency::Measurement so_far = latency::measurement_of(timings, usual_reference_ms);
    const auto spread = latency::disagreement(so_far, kFewestTimings);
    const bool agrees = spread && *spread <= config.agree_ratio;
    if (agrees || so_far.rounds == kMostTimings) return so_far;
  }
}

}  // namespace

latency::DeviceRow device_row(RunContext& context, const DeviceConfig& device) {
  return {.name = device.name,
          .runtime = device.runtime,
          .threads = device.threads,
          .description = context.timer(device).describe()};
}

std::int64_t device_id(RunContext& context, const DeviceConfig& device) {
  const latency::DeviceRow row = device_row(context, device);
  std::int64_t id = 0;
  context.db().write([&](SQLite::Database& sql) { id = latency::put_device(sql, row); });
  return id;
}

std::vector<DeviceTable> latency_tables(RunContext& context) {
  const std::int64_t run_id = context.results.at(Stage::kProfile).run_id;
  std::vector<std::pair<std::string, latency::LatencyModelRow>> models;
  context.db().read([&](SQLite::Database& sql) {
    for (latency::LatencyModelRow& model : latency::get_latency_models(sql, run_id)) {
      models.emplace_back(latency::get_device(sql, model.device_id).value().name, std::move(model));
    }
  });
  std::vector<DeviceTable> tables;
  for (const auto& [name, model] : models) {
    tables.push_back({name, latency::LatencyTable::of_model(context.db(), model)});
  }
  return tables;
}

latency::Measurement measure_network(RunContext& context, const space::Arch& arch,
                                     latency::NetworkPurpose purpose) {
  const latency::Protocol& protocol = context.config().profile.protocol;
  const std::string protocol_hash = latency::protocol_hash(protocol);
  const DeviceConfig& main_device = context.config().device;
  const std::int64_t device = device_id(context, main_device);
  const std::int64_t arch_row = context.arch_id(arch);
  const std::int64_t space_row = context.space_id();
  std::optional<latency::MeasurementResult> result;
  double usual_reference_ms = 0.0;
  context.db().read([&](SQLite::Database& sql) {
    result = latency::get_network_latency(sql, device, arch_row, protocol_hash, purpose);
    usual_reference_ms = latency::get_usual_reference_ms(sql, device, space_row, protocol_hash);
  });
  if (!result) {
    const space::NetworkPlan plan = space::lower(context.space(), arch, context.io());
    result = time_network(context, plan, usual_reference_ms);
    context.db().write([&](SQLite::Database& sql) {
      latency::put_network_latency(sql, device, arch_row, protocol_hash, purpose, *result);
    });
  }
  if (const auto* failure = std::get_if<latency::MeasurementFailure>(&*result)) {
    throw EnvironmentError(fmt::format("device '{}' could not run {}: {}", main_device.name,
                                       space::to_text(context.space(), arch), failure->reason));
  }
  return std::get<latency::Measurement>(*result);
}

}  // namespace omnifit::pipeline
