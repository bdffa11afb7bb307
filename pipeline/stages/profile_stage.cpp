#include "core/hash.hpp"
#include "core/units.hpp"
#include "latency_lut/profiler.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/stages/stages.hpp"

namespace omnifit::pipeline {
namespace {

/// A device in this process is known by what it is; one behind a program by how it is called, so
/// that a finished profile stays finished while the device is away.
std::string device_identity(RunContext& context, const DeviceConfig& device) {
  if (device.calls_program()) return device.identity();
  return core::hex64(latency::device_fingerprint(device_row(context, device)));
}

std::string inputs(RunContext& context) {
  const space::TaskIo io = context.io();
  std::string devices;
  for (const DeviceConfig& device : context.config().all_devices()) {
    devices += fmt::format("device {}\n", device_identity(context, device));
  }
  return fmt::format("space {}\nchannels {}\nclasses {}\nseed {}\n{}{}",
                     core::hex64(context.space().fingerprint()), io.in_channels, io.num_classes,
                     context.seed(), devices, core::write_config(context.config().profile));
}

void tell(RunContext& context, const std::string& device, const latency::ProfileReport& report) {
  if (report.num_unsettled > 0) {
    context.progress().message(fmt::format(
        "{}: not quiet: the timings of {} of {} units and networks never agreed (the sentinel was "
        "up to {} slower than usual); close other programs and run again with --force profile for "
        "a better table",
        device, report.num_unsettled, report.num_units - report.num_estimated + report.num_networks,
        core::format_percent(report.max_slowdown_ratio)));
  }
  const latency::EstimateCheck& check = report.check;
  if (!check.mape) return;
  context.progress().message(fmt::format(
      "{}: {} units{}; estimates against {} unseen whole networks: mean error {}, {} within 10 "
      "%{}",
      device, report.num_units,
      report.num_estimated > 0
          ? fmt::format(" ({} of them estimated from the others)", report.num_estimated)
          : "",
      check.num_check, core::format_percent(*check.mape),
      core::format_percent(check.within_10_percent.value_or(0.0)),
      check.kendall_tau ? fmt::format(", Kendall tau {:.3f}", *check.kendall_tau) : ""));
}

std::string run(RunContext& context, const StageRun& run) {
  const std::int64_t space_id = context.space_id();
  const space::TaskIo io = context.io();
  std::string tables;
  for (const DeviceConfig& device : context.config().all_devices()) {
    const latency::ProfileTarget target{
        .db = context.db(),
        .stage_run_id = run.id,
        .device_id = device_id(context, device),
        .space_id = space_id,
        .arch_id_of = [&](SQLite::Database& sql, const space::Arch& arch) {
          return put_arch(sql, space_id, context.space(), arch, io);
        }};
    const latency::ProfileReport report =
        latency::profile(context.space(), io, context.timer(device), context.config().profile,
                         context.seed(), target, context.progress());
    tell(context, device.name, report);
    tables += fmt::format("{} {}\n", device.name, core::hex64(report.table.hash()));
  }
  return core::hex64(core::stable_hash(tables));
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// The rows of a device and protocol outlive a stage run, so that another space's profile reuses
/// them; force measures anew.
void discard(RunContext& context, const StageRun&) {
  const std::string hash = latency::protocol_hash(context.config().profile.protocol);
  for (const DeviceConfig& device : context.config().all_devices()) {
    const std::int64_t id = device_id(context, device);
    context.db().write([&](SQLite::Database& sql) {
      latency::delete_layer_latencies(sql, id, hash);
      latency::delete_network_latencies(sql, id, hash, latency::NetworkPurpose::kCorrection);
      latency::delete_network_latencies(sql, id, hash, latency::NetworkPurpose::kCheck);
    });
  }
}

}  // namespace

StageActions profile_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
