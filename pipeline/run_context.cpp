#include "pipeline/run_context.hpp"

#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/version.hpp"
#include "pipeline/host.hpp"
#include "pipeline/pipeline_store.hpp"
#include "store/arch_rows.hpp"
#include "supernet/thread_policy.hpp"
#include "supernet/trainer.hpp"

#include <filesystem>

namespace omnifit::pipeline {

RunContext::RunContext(Job job, store::Database& db, const Services& services,
                       core::ProgressSink& progress)
    : job_(std::move(job)), db_(db), services_(services), progress_(progress) {}

RunContext::~RunContext() = default;

const supernet::Dataset& RunContext::dataset() {
  if (!dataset_) {
    dataset_ = std::make_unique<supernet::Dataset>(supernet::load_dataset(job_.data, seed()));
    const space::TaskIo found = job_.task_io(*dataset_);
    if (config().task && io() != found) {
      throw ConfigError(fmt::format(
          "{}: 'task' says {} channels and {} classes, but {} has {} and {}; leave it out",
          core::path_text(job_.file), io().in_channels, io().num_classes, dataset_->name,
          found.in_channels, found.num_classes));
    }
  }
  return *dataset_;
}

space::TaskIo RunContext::io() {
  if (space().family_kind() == space::Family::kTabular) return {0, 0};
  if (config().task) return {config().task->in_channels, config().task->num_classes};
  return job_.task_io(dataset());
}

const std::filesystem::path& RunContext::tables_folder() const {
  check_sources(job_);
  return job_.tables_root;
}

const space::TabularData* RunContext::tables() {
  if (!tables_ && space().family_kind() == space::Family::kTabular) {
    tables_ =
        std::make_unique<space::TabularData>(space::TabularData::load(space(), tables_folder()));
  }
  return tables_.get();
}

latency::LayerTimer& RunContext::timer(const DeviceConfig& device) {
  std::unique_ptr<latency::LayerTimer>& timer = timers_[device.name];
  if (!timer) {
    timer = services_.make_timer ? services_.make_timer(device, job_.compute)
                                 : make_timer(device, job_.compute);
  }
  return *timer;
}

const supernet::Supernet& RunContext::network() {
  if (!network_) {
    std::optional<CheckpointRow> checkpoint;
    db_.read([&](SQLite::Database& sql) {
      checkpoint = final_checkpoint(sql, results.at(Stage::kTrain).run_id);
    });
    OMNIFIT_CHECK(checkpoint.has_value(), "a finished training has a final checkpoint");
    network_ = std::make_unique<supernet::Supernet>(
        supernet::load_supernet(in_project(checkpoint->path), space(), io()));
    network_->to_device(job_.compute);
  }
  return *network_;
}

const supernet::SubnetEvaluator& RunContext::subnet_evaluator() {
  if (!subnet_evaluator_) {
    subnet_evaluator_ = std::make_unique<supernet::SubnetEvaluator>(network(), space(), dataset());
  }
  return *subnet_evaluator_;
}

std::shared_ptr<const predictors::Prior> RunContext::prior() {
  if (!prior_ && !job_.prior.empty()) {
    prior_ = std::make_shared<predictors::Prior>(predictors::Prior::load(job_.prior, space()));
  }
  return prior_;
}

supernet::EvalOptions RunContext::eval_options(int max_images) const {
  supernet::EvalOptions options;
  options.calibration_images = config().train.calibration_images;
  options.max_images = max_images;
  options.threads = outer_threads();
  return options;
}

std::int64_t RunContext::job_id() {
  if (!job_id_) {
    db_.write([&](SQLite::Database& sql) {
      job_id_ = put_job(sql, {.hash = core::sha256_hex(job_.effective_yaml),
                              .yaml = job_.effective_yaml,
                              .source = job_.source,
                              .omnifit_version = core::version(),
                              .git_revision = core::git_revision(),
                              .libtorch_version = supernet::libtorch_version(),
                              .host = host_json()});
    });
  }
  return *job_id_;
}

std::int64_t RunContext::space_id() {
  if (!space_id_) {
    db_.write([&](SQLite::Database& sql) {
      space_id_ = store::put_space(sql, {.fingerprint = core::hex64(space().fingerprint()),
                                         .name = space().name(),
                                         .version = space().version(),
                                         .family = space().family(),
                                         .yaml = space().canonical_yaml()});
    });
  }
  return *space_id_;
}

std::int64_t RunContext::dataset_id() {
  if (!dataset_id_) {
    const std::string& format = core::enum_name(supernet::data_formats(), job_.data.format);
    db_.write([&](SQLite::Database& sql) { dataset_id_ = put_dataset(sql, dataset(), format); });
  }
  return *dataset_id_;
}

std::int64_t RunContext::arch_id(const space::Arch& arch) {
  const ArchWriter writer = arch_writer();
  std::int64_t id = 0;
  db_.write([&](SQLite::Database& sql) { id = writer(sql, arch); });
  return id;
}

RunContext::ArchWriter RunContext::arch_writer() {
  return [this, space_row = space_id(), task = io(), data = tables()](SQLite::Database& sql,
                                                                      const space::Arch& arch) {
    return put_arch(sql, space_row, space(), arch, task, data);
  };
}

std::filesystem::path RunContext::in_project(const std::string& relative) const {
  return (job_.project_file.parent_path() / relative).lexically_normal();
}

std::string RunContext::relative_to_project(const std::filesystem::path& path) const {
  return path.lexically_relative(job_.project_file.parent_path()).generic_string();
}

}  // namespace omnifit::pipeline
