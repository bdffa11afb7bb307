#include "core/hash.hpp"
#include "pipeline/host.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/stages/stages.hpp"
#include "supernet/start_weights.hpp"
#include "supernet/thread_policy.hpp"
#include "supernet/trainer.hpp"

#include <filesystem>
#include <optional>

namespace omnifit::pipeline {
namespace {

/// Checkpoints of different inputs never meet: each input hash has its own folder beside the
/// project file.
std::filesystem::path checkpoint_folder(const RunContext& context, const StageRun& run) {
  return context.in_project(context.job().project_file.stem().string() + ".checkpoints/" +
                            run.input_hash.substr(0, 16));
}

std::string inputs(RunContext& context) {
  supernet::TrainConfig config = context.config().train;
  // What the file holds matters, not where it lies.
  if (!config.start_from.empty()) {
    config.start_from = supernet::start_weights_sha256(context.job().start_from);
  }
  std::string text = fmt::format("space {}\ndata {}\n", core::hex64(context.space().fingerprint()),
                                 context.dataset().fingerprint);
  if (config.phases.empty()) {
    // Nothing is trained, so that nothing that only trains may make the result another one.
    return text + fmt::format("compute {}\nstart_from {}\ncalibration_images {}\n",
                              context.job().compute, config.start_from, config.calibration_images);
  }
  return text + fmt::format("seed {}\nthreads {}\ncompute {}\n{}", context.seed(),
                            context.threads(), context.job().compute, core::write_config(config));
}

/// The weights that the job's training begins with, if it names any.
std::optional<supernet::StartWeights> start_weights(RunContext& context) {
  if (context.job().start_from.empty()) return std::nullopt;
  const bool trains = !context.config().train.phases.empty();
  return supernet::load_start_weights(
      context.job().start_from, context.space(), context.io(),
      trains ? supernet::OtherClasses::kNewClassifier : supernet::OtherClasses::kRefuse,
      context.seed());
}

std::string run(RunContext& context, const StageRun& run) {
  const std::optional<supernet::StartWeights> start = start_weights(context);
  supernet::TrainContext train;
  if (start) train.start = &*start;
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
