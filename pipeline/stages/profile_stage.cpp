#include "core/hash.hpp"
#include "core/units.hpp"
#include "latency_lut/profiler.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/stages/stages.hpp"

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  const space::TaskIo io = context.io();
  return fmt::format("space {}\nchannels {}\nclasses {}\nseed {}\ndevice {}\n{}",
                     core::hex64(context.space().fingerprint()), io.in_channels, io.num_classes,
                     context.seed(), core::hex64(latency::device_fingerprint(device_row(context))),
                     core::write_config(context.config().profile));
}

std::string run(RunContext& context, const StageRun& run) {
  const std::int64_t space_id = context.space_id();
  const latency::ProfileTarget target{
      .db = context.db(),
      .stage_run_id = run.id,
      .device_id = device_id(context),
      .space_id = space_id,
      .arch_id_of = [&](SQLite::Database& sql, const space::Arch& arch) {
        return put_arch(sql, space_id, context.space(), arch, context.io());
      }};
  const latency::ProfileReport report =
      latency::profile(context.space(), context.io(), context.timer(), context.config().profile,
                       context.seed(), target, context.progress());
  for (const std::string& failure : report.failures) {
    context.progress().message("profile: not measured: " + failure);
  }
  if (report.num_drifting_stretches > 0) {
    context.progress().message(
        fmt::format("profile: this device was not quiet: {} stretches drifted by up to {} and were "
                    "kept; close other programs and run "
                    "again with --force profile for a better table",
                    report.num_drifting_stretches, core::format_percent(report.max_drift_ratio)));
  }
  const latency::EstimateCheck& check = report.check;
  if (check.mape) {
    context.progress().message(fmt::format(
        "profile: {} units; estimates against {} unseen whole networks: mean error {}, {} within "
        "10 %{}",
        report.num_units, check.num_check, core::format_percent(*check.mape),
        core::format_percent(check.within_10_percent.value_or(0.0)),
        check.kendall_tau ? fmt::format(", Kendall tau {:.3f}", *check.kendall_tau) : ""));
  }
  return core::hex64(report.table.hash());
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// The rows of a device and protocol outlive a stage run, so that another space's profile reuses
/// them; force measures anew.
void discard(RunContext& context, const StageRun&) {
  const std::int64_t device = device_id(context);
  const std::string hash = latency::protocol_hash(context.config().profile.protocol);
  context.db().write([&](SQLite::Database& sql) {
    latency::delete_layer_latencies(sql, device, hash);
    latency::delete_network_latencies(sql, device, hash, latency::NetworkPurpose::kCorrection);
    latency::delete_network_latencies(sql, device, hash, latency::NetworkPurpose::kCheck);
  });
}

}  // namespace

StageActions profile_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
