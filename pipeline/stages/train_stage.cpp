#include "core/hash.hpp"
#include "pipeline/host.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/stages/stages.hpp"
#include "supernet/thread_policy.hpp"
#include "supernet/trainer.hpp"

#include <filesystem>

namespace omnifit::pipeline {
namespace {

/// Checkpoints of different inputs never meet: each input hash has its own folder beside the
/// project file.
std::filesystem::path checkpoint_folder(const RunContext& context, const StageRun& run) {
  return context.in_project(context.job().project_file.stem().string() + ".checkpoints/" +
                            run.input_hash.substr(0, 16));
}

std::string inputs(RunContext& context) {
  return fmt::format("space {}\ndata {}\nseed {}\nthreads {}\ncompute {}\n{}",
                     core::hex64(context.space().fingerprint()), context.dataset().fingerprint,
                     context.seed(), context.threads(), context.job().compute,
                     core::write_config(context.config().train));
}

std::string run(RunContext& context, const StageRun& run) {
  supernet::TrainContext train;
  train.seed = context.seed();
  train.threads = context.threads();
  train.device = context.job().compute;
  train.checkpoint_folder = checkpoint_folder(context, run);
  train.input_hash = run.input_hash;
  const HostInfo host = host_info();
  train.machine = fmt::format("LibTorch {} on {}, {}", supernet::libtorch_version(), host.cpu_model,
                              host.vector_support);
  train.progress = &context.progress();
  // Stored at once: a checkpoint written later must not be ahead of the metrics before it.
  train.on_metric = [&](const supernet::TrainMetric& metric) {
    context.db().write([&](SQLite::Database& sql) { put_train_metrics(sql, run.id, {metric}); });
  };
  train.on_checkpoint = [&](const supernet::CheckpointInfo& checkpoint) {
    context.db().write([&](SQLite::Database& sql) {
      put_checkpoint(sql, run.id, checkpoint, context.relative_to_project(checkpoint.file));
    });
  };
  return supernet::train(context.space(), context.dataset(), context.config().train, train).sha256;
}

bool outputs_present(RunContext& context, const StageRun& run) {
  std::optional<CheckpointRow> checkpoint;
  context.db().read([&](SQLite::Database& sql) { checkpoint = final_checkpoint(sql, run.id); });
  if (!checkpoint) return false;
  const std::filesystem::path file = context.in_project(checkpoint->path);
  std::error_code ignored;
  return std::filesystem::file_size(file, ignored) == checkpoint->size_bytes &&
         core::sha256_file(file) == checkpoint->sha256;
}

void discard(RunContext& context, const StageRun& run) {
  std::error_code ignored;
  std::filesystem::remove_all(checkpoint_folder(context, run), ignored);
}

}  // namespace

StageActions train_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
