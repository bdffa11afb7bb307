#include "pipeline/job.hpp"

#include "core/file_io.hpp"
#include "core/node.hpp"
#include "core/threads.hpp"
#include "supernet/thread_policy.hpp"

#include <algorithm>
#include <set>

namespace omnifit::pipeline {
namespace {

/// Metrics that may be objectives; the search's evaluator provides them (pipeline/evaluator.hpp).
const std::vector<std::string>& objective_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names{"top1"};
    for (const Cost cost : all_costs()) names.push_back(cost_metric(cost));
    return names;
  }();
  return kNames;
}

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
  const std::filesystem::path base =
      from_command_line ? std::filesystem::current_path() : job_folder;
  return (base / value).lexically_normal();
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

}  // namespace

void CollectConfig::fields(core::Fields& f) {
  f.integer("samples", samples, {2, 1'000'000},
            "distinct subnets to measure, the smallest and the largest among them");
  f.integer("max_images", max_images, {0, INT32_MAX}, "validation images per subnet; 0 = all");
}

SearchConfig::SearchConfig() {
  for (const char* bound : {"25%", "50%", "75%"}) budgets.emplace_back().latency = bound;
  budgets.emplace_back().macs = "40%";
}

void SearchConfig::fields(core::Fields& f) {
  f.texts(
      "objectives", objectives,
      "metrics to optimise (" + joined(objective_names()) + "); the first ranks the candidates");
  if (objectives.empty()) f.error("objectives", "needs at least one metric");
  for (const std::string& name : objectives) check_one_of(f, "objectives", name, objective_names());
  f.sections("budgets", budgets,
             "one search each; upper bounds that a network must keep all at once");
  if (f.reading() && budgets.empty()) f.error("budgets", "needs at least one budget");
  std::set<std::string> slugs;
  std::set<std::string> texts;
  for (const BudgetConfig& budget : budgets) {
    if (!slugs.insert(budget.slug()).second || !texts.insert(budget.text()).second) {
      f.error("budgets", fmt::format("two budgets are called '{}'; names and bounds must differ",
                                     budget.slug()));
    }
  }
  f.section("evolution", evolution, "settings of the evolutionary search");
  f.boolean("random_baseline", random_baseline,
            "also search at random with the same number of evaluations, for comparison");
  f.integer("candidates", candidates, {1, 10'000},
            "best networks kept per budget, for verify to walk down");
  f.integer("refinements", refinements, {0, 20},
            "rounds before the search proper: measure the best networks, fit the predictor again");
  f.integer("refine_subnets", refine_subnets, {1, 10'000},
            "networks measured per budget and round, on the validation images");
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

void JobConfig::fields(core::Fields& f) {
  f.text("project", project, "project file (SQLite), relative to this file", true);
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
  std::filesystem::path start_from;
  if (!config.train.start_from.empty()) {
    start_from = resolve(root, {"train", "start_from"}, config.train.start_from, folder);
  }
  const std::filesystem::path project_file =
      overrides.project ? std::filesystem::absolute(*overrides.project)
                        : resolve(root, {"project"}, config.project, folder);
  const core::Node* space_node = root.find("space");
  const bool space_from_cli = space_node != nullptr && space_node->where.file == "<cli>";
  space::SearchSpace space = [&] {
    try {
      return find_space(config.space, space_from_cli ? std::filesystem::current_path() : folder);
    } catch (const ConfigError& problem) {
      // A space file's own errors carry their location; an unknown name gets the job's.
      if (space_node == nullptr || std::string_view(problem.what()).find("unknown space") != 0)
        throw;
      throw ConfigError(space_node->where, std::string("space: ") + problem.what());
    }
  }();
  const int threads = config.threads == 0 ? core::available_cores() : config.threads;
  std::string compute = resolve_compute(config.compute);
  std::string effective = core::write_config(config);
  return {file,
          source,
          std::move(config),
          std::move(effective),
          project_file.lexically_normal(),
          std::move(data),
          std::move(start_from),
          std::move(space),
          threads,
          std::move(compute)};
}

std::string commented_job() {
  return "# An omnifit job. Every key is optional; the values below are the defaults.\n"
         "# Run it with:  omnifit run FILE.yaml\n\n" +
         core::write_config(JobConfig{}, core::Fields::Style::kCommented);
}

}  // namespace omnifit::pipeline
