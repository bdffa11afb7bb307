#include "pipeline/job.hpp"

#include "core/file_io.hpp"
#include "core/node.hpp"
#include "core/threads.hpp"
#include "pipeline/table_metrics.hpp"
#include "space/sampling.hpp"
#include "supernet/thread_policy.hpp"

#include <algorithm>
#include <set>

namespace omnifit::pipeline {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string result;
  for (const std::string& name : names) result += (result.empty() ? "" : ", ") + name;
  return result;
}

void check_one_of(core::Fields& f, std::string_view key, const std::string& value,
                  const std::vector<std::string>& allowed) {
  if (!f.reading() || std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  const std::string guess = core::did_you_mean(value, allowed);
  f.error(key, fmt::format("must be one of {}, got '{}'{}", joined(allowed), value,
                           guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess)));
}

/// A path as written: on the command line it is relative to the working directory, in the file to
/// the file.
std::filesystem::path resolve(const core::Node& root, std::initializer_list<std::string_view> keys,
                              const std::string& value, const std::filesystem::path& job_folder) {
  const core::Node* node = &root;
  for (const std::string_view key : keys) {
    node = node->find(key);
    if (node == nullptr) break;
  }
  const bool from_command_line = node != nullptr && node->where.file == "<cli>";
  const std::filesystem::path base = from_command_line ? core::working_folder() : job_folder;
  return (base / value).lexically_normal();
}

/// @throws ConfigError if a file that the job names is not there
void check_file(const std::filesystem::path& job, const char* key,
                const std::filesystem::path& file) {
  std::error_code ignored;
  if (file.empty() || std::filesystem::is_regular_file(file, ignored)) return;
  throw ConfigError(
      fmt::format("{}: {}: there is no file {}", core::path_text(job), key, core::path_text(file)));
}

std::string resolve_compute(const std::string& asked) {
  if (asked == "cuda" && !supernet::cuda_available()) {
    throw EnvironmentError(
        "compute is 'cuda' but LibTorch finds no CUDA device; use 'cpu' or 'auto'");
  }
  if (asked == "auto") return supernet::cuda_available() ? "cuda" : "cpu";
  return asked;
}

void check_devices(core::Fields& f, const std::vector<DeviceConfig>& devices) {
  if (!f.reading()) return;
  if (f.has("devices") && devices.empty()) f.error("devices", "needs at least one device");
  std::set<std::string> names;
  for (const DeviceConfig& device : devices) {
    if (!names.insert(device.name).second) {
      f.error("devices", fmt::format("two devices are called '{}'", device.name));
    }
  }
}

/// What a stage cannot do without.
std::vector<Stage> needed_stages(Stage stage, const JobConfig& config) {
  using enum Stage;
  switch (stage) {
    case kCollect:
      return {kTrain};
    case kFit:
      return config.fit.predictor.empty() ? std::vector{kCollect} : std::vector<Stage>{};
    case kSearch:
      if (config.tables) return {};
      if (config.search.is_active()) return {kTrain};
      return config.refines() ? std::vector{kFit, kTrain, kCollect} : std::vector{kFit};
    case kVerify:
      return {kTrain, kProfile, kSearch};
    case kExport:
      return {kTrain, kVerify};
    default:
      return {};
  }
}

/// What a job may say whose search lacks a stage.
const char* way_out(Stage needed, const JobConfig& config) {
  if (needed == Stage::kFit) return "; a tabular space needs 'tables' instead";
  return config.refines() ? "; search.refinements: 0 measures nothing" : "";
}

void check_stages(core::Fields& f, const JobConfig& config) {
  if (!f.reading()) return;
  const std::vector<std::string>& names = config.stages;
  if (names.empty()) f.error("stages", "needs at least one stage");
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) f.error("stages", fmt::format("'{}' is named twice", name));
    try {
      for (const Stage needed : needed_stages(parse_stage(name), config)) {
        if (std::ranges::find(names, stage_name(needed)) != names.end()) continue;
        f.error("stages",
                fmt::format("{} needs {}, which is not among them{}", name, stage_name(needed),
                            name == stage_name(Stage::kSearch) ? way_out(needed, config) : ""));
      }
    } catch (const ConfigError& problem) {
      f.error("stages", problem.what());
    }
  }
}

/// A tabular space has no networks: what it knows is looked up. @throws ConfigError
void check_tables(const std::filesystem::path& file, const JobConfig& config,
                  const space::SearchSpace& space) {
  const bool tabular = space.family_kind() == space::Family::kTabular;
  if (tabular && !config.tables) {
    throw ConfigError(fmt::format(
        "{}: space {} is tabular: say in 'tables' where its files are (root) and which metric is "
        "the accuracy (top1)",
        core::path_text(file), space.name()));
  }
  if (!tabular && config.tables) {
    throw ConfigError(fmt::format("{}: tables: space {} has none, its family is {}",
                                  core::path_text(file), space.name(), space.family()));
  }
  if (!tabular) return;
  for (const std::string& stage : config.stages) {
    if (stage == stage_name(Stage::kSearch) || stage == stage_name(Stage::kReport)) continue;
    throw ConfigError(fmt::format(
        "{}: stages: space {} is tabular, there is nothing to {}; its stages are [search, report]",
        core::path_text(file), space.name(), stage));
  }
}

/// @throws ConfigError if the search of a tabular job needs a metric that no table has
void check_table_metrics(const std::filesystem::path& file, const JobConfig& config,
                         const space::SearchSpace& space) {
  const bool searches =
      std::ranges::find(config.stages, stage_name(Stage::kSearch)) != config.stages.end();
  if (!config.tables || !searches) return;
  std::vector<space::TabularMetric> metrics;
  for (const space::TabularFile& table : space.tables()) {
    metrics.insert(metrics.end(), table.metrics.begin(), table.metrics.end());
  }
  for (const Quantity& quantity : config.search.quantities(false)) {
    try {
      space::metric_position(metrics,
                             table_metric(quantity, config.tables->top1, config.device.name));
    } catch (const ConfigError& problem) {
      throw ConfigError(fmt::format("{}: {}: {}", core::path_text(file),
                                    quantity.is_top1() ? "tables.top1" : "search", problem.what()));
    }
  }
}

/// @throws ConfigError if the space is too large to look at every subnet
void check_exhaustive(const std::filesystem::path& file, const SearchConfig& search,
                      const space::SearchSpace& space) {
  const auto limit = static_cast<space::Count>(search.exhaustive.max_archs);
  const space::Count count = space::cardinality(space);
  if (count <= limit) return;
  throw ConfigError(fmt::format(
      "{}: space {} has {} subnets, more than the {} of search.exhaustive.max_archs; looking at "
      "every one is for small spaces",
      core::path_text(file), space.name(), space::to_string(count), search.exhaustive.max_archs));
}

}  // namespace

void CollectConfig::fields(core::Fields& f) {
  f.integer("samples", samples, {2, 1'000'000},
            "distinct subnets to measure, the smallest and the largest among them");
  f.integer("max_images", max_images, {0, INT32_MAX}, "validation images per subnet; 0 = all");
}

void VerifyConfig::fields(core::Fields& f) {
  f.integer("max_candidates", max_candidates, {1, 10'000},
            "networks measured per budget before giving up");
  f.integer("max_images", max_images, {0, INT32_MAX}, "test images per network; 0 = all");
}

void ExportConfig::fields(core::Fields& f) {
  f.text("folder", folder, "where the files go, relative to the project file", true);
  f.integer("proof_images", proof_images, {1, 1000},
            "real images that every exported file is proven on");
  f.boolean("embed_normalisation", embed_normalisation,
            "the files take pixels in [0, 1] instead of normalised ones");
  f.boolean("require_proof", require_proof,
            "fail if a file cannot be proven, e.g. without Node.js");
}

void ReportConfig::fields(core::Fields& f) {
  f.text("file", file, "the HTML page, relative to the project file", true);
  f.text("title", title, "headline; empty: made from the job");
}

void TaskConfig::fields(core::Fields& f) {
  f.integer("in_channels", in_channels, {1, 1024}, "of the images");
  f.integer("num_classes", num_classes, {1, 1'000'000}, "of the classifier");
}

void TablesConfig::fields(core::Fields& f) {
  f.text("root", root, "folder that the paths in the space file start from; relative to this file");
  f.text("top1", top1, "metric of the tables that is the accuracy", true);
}

void JobConfig::fields(core::Fields& f) {
  f.text("project", project, "project file (SQLite), relative to this file", true);
  f.texts("stages", stages, "stages of this job; leave out what it does not need");
  f.optional_section("task", task,
                     "for a job that reads no images: what its networks would see; else the data "
                     "set says it");
  f.optional_section("tables", tables,
                     "of a tabular space: its figures are looked up; latency on a device NAME is "
                     "the metric NAME_ms");
  f.text("space", space, "a shipped space (mbv3_32px, tiny) or a YAML file relative to this file",
         true);
  f.unsigned64("seed", seed, "of everything that is drawn at random");
  f.integer("threads", threads, {0, 1024},
            "cores to use; 0 = all. Part of a training's identity: another number trains anew");
  f.text("compute", compute, "where training and evaluation run: auto, cpu or cuda");
  check_one_of(f, "compute", compute, {"auto", "cpu", "cuda"});
  f.section("data", data, "images and labels");
  f.section("train", train, "the supernet: full network first, then progressive shrinking");
  if (f.reading() && f.has("device") && f.has("devices")) {
    f.error("devices", "a job has either one device or devices, not both");
  }
  if (f.reading() || devices.empty()) f.section("device", device, "where latency is measured");
  if (f.reading() || !devices.empty()) {
    f.sections("devices", devices,
               "instead of device: several; the first is meant where none is named");
  }
  check_devices(f, devices);
  if (f.reading() && !devices.empty()) device = devices.front();
  f.section("profile", profile, "how latency is measured");
  f.section("collect", collect, "measured accuracies that the predictor learns from");
  f.section("fit", fit, "the accuracy predictor");
  f.section("search", search, "what is searched");
  f.section("verify", verify, "measuring the candidates");
  f.section("export", export_files, "files to take away");
  f.section("report", report, "the HTML page");
  // A search that measures needs no predictor, and collecting for one would be in vain.
  if (f.reading() && search.is_active() && !f.has("stages")) {
    std::erase(stages, stage_name(Stage::kCollect));
    std::erase(stages, stage_name(Stage::kFit));
  }
  check_stages(f, *this);
  if (f.reading() && !fit.predictor.empty() && refines()) {
    f.error("search",
            "refinements must be 0 with fit.predictor: what was trained elsewhere is not "
            "fitted again; fit.prior corrects it with measured subnets");
  }
}

std::vector<DeviceConfig> JobConfig::all_devices() const {
  return devices.empty() ? std::vector<DeviceConfig>{device} : devices;
}

std::filesystem::path shipped_spaces_folder() {
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() /
      "share/omnifit/space";
  if (std::filesystem::is_directory(beside)) return beside;
  return std::filesystem::path(OMNIFIT_SOURCE_FOLDER) / "configs/space";
}

space::SearchSpace find_space(const std::string& name_or_file, const std::filesystem::path& base) {
  const bool is_file = name_or_file.ends_with(".yaml") || name_or_file.ends_with(".yml") ||
                       name_or_file.find('/') != std::string::npos;
  if (is_file) return space::SearchSpace::load(base / name_or_file);
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(shipped_spaces_folder(), ignored)) {
    if (entry.path().extension() != ".yaml") continue;
    if (entry.path().stem() == name_or_file) return space::SearchSpace::load(entry.path());
    names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  const std::string guess = core::did_you_mean(name_or_file, names);
  throw ConfigError(
      fmt::format("unknown space '{}'{} (shipped: {}; or a path to a .yaml file)", name_or_file,
                  guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess), joined(names)));
}

bool Job::has(Stage stage) const { return std::ranges::find(stages, stage) != stages.end(); }

std::vector<Stage> Job::consumed(Stage stage) const {
  std::vector<Stage> result;
  for (const Stage input : consumed_stages(stage)) {
    // A search that measures nothing depends on the training through the predictor only, one that
    // measures all it needs on no predictor. And an imported predictor depends on nothing that was
    // collected.
    const bool measures = config.refines() || config.search.is_active();
    const bool unused = (stage == Stage::kSearch && input == Stage::kTrain && !measures) ||
                        (stage == Stage::kSearch && input == Stage::kFit && !config.predicts()) ||
                        (stage == Stage::kFit && !config.fit.predictor.empty());
    if (has(input) && !unused) result.push_back(input);
  }
  return result;
}

Job load_job(const std::filesystem::path& file, const JobOverrides& overrides) {
  const std::string source = core::read_text_file(file, 16 << 20);
  core::Node root = core::parse_yaml(source, core::path_text(file));
  for (const std::string& assignment : overrides.assignments)
    core::apply_override(root, assignment);
  JobConfig config = core::read_config<JobConfig>(root);
  if (overrides.threads) config.threads = *overrides.threads;
  if (overrides.compute) config.compute = *overrides.compute;

  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  supernet::DataConfig data = config.data;
  if (!data.root.empty()) data.root = resolve(root, {"data", "root"}, data.root, folder).string();
  const auto file_of = [&](std::initializer_list<std::string_view> keys, const std::string& value) {
    return value.empty() ? std::filesystem::path() : resolve(root, keys, value, folder);
  };
  const std::filesystem::path project_file =
      overrides.project ? std::filesystem::absolute(*overrides.project)
                        : resolve(root, {"project"}, config.project, folder);
  const core::Node* space_node = root.find("space");
  const bool space_from_cli = space_node != nullptr && space_node->where.file == "<cli>";
  space::SearchSpace space = [&] {
    try {
      return find_space(config.space, space_from_cli ? core::working_folder() : folder);
    } catch (const ConfigError& problem) {
      // A space file's own errors carry their location; an unknown name gets the job's.
      if (space_node == nullptr || std::string_view(problem.what()).find("unknown space") != 0)
        throw;
      throw ConfigError(space_node->where, std::string("space: ") + problem.what());
    }
  }();
  check_tables(file, config, space);
  check_table_metrics(file, config, space);
  if (overrides.exhaustive || config.search.is_exhaustive()) {
    check_exhaustive(file, config.search, space);
  }
  const int threads = config.threads == 0 ? core::available_cores() : config.threads;
  std::string compute = resolve_compute(config.compute);
  std::vector<Stage> stages;
  for (const Stage stage : all_stages()) {
    if (std::ranges::find(config.stages, stage_name(stage)) != config.stages.end()) {
      stages.push_back(stage);
    }
  }
  std::filesystem::path start_from = file_of({"train", "start_from"}, config.train.start_from);
  std::filesystem::path predictor = file_of({"fit", "predictor"}, config.fit.predictor);
  std::filesystem::path prior = file_of({"fit", "prior"}, config.fit.prior);
  std::filesystem::path tables_root;
  if (config.tables) {
    tables_root = resolve(root, {"tables", "root"}, config.tables->root, folder);
  }
  check_file(file, "fit.predictor", predictor);
  check_file(file, "fit.prior", prior);
  std::string effective = core::write_config(config);
  return {file,
          source,
          std::move(config),
          std::move(effective),
          project_file.lexically_normal(),
          std::move(data),
          std::move(start_from),
          std::move(predictor),
          std::move(prior),
          std::move(tables_root),
          std::move(space),
          std::move(stages),
          threads,
          std::move(compute),
          overrides.exhaustive};
}

void check_sources(const Job& job) {
  std::error_code ignored;
  if (!job.tables_root.empty() && !std::filesystem::is_directory(job.tables_root, ignored)) {
    throw ConfigError(fmt::format("{}: tables.root: there is no folder {}",
                                  core::path_text(job.file), core::path_text(job.tables_root)));
  }
  if (job.has(Stage::kTrain) && !job.data.root.empty() &&
      std::filesystem::status(job.data.root, ignored).type() ==
          std::filesystem::file_type::not_found) {
    throw DataError(fmt::format("{}: no such folder", core::path_text(job.data.root)));
  }
}

std::string commented_job() {
  return "# An omnifit job. Every key is optional; the values below are the defaults.\n"
         "# Run it with:  omnifit run FILE.yaml\n\n" +
         core::write_config(JobConfig{}, core::Fields::Style::kCommented);
}

}  // namespace omnifit::pipeline
