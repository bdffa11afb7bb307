#include "cli/command.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "latency_lut/compare_devices.hpp"
#include "latency_lut/stored_devices.hpp"
#include "pipeline/device_config.hpp"
#include "store/database.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace omnifit::cli {
namespace {

using core::Align;

struct DeviceArguments {
  std::string project;
  std::string name;
  std::string other;
  std::string file;  ///< of a device
  std::string compute = "cpu";
  bool json = false;
};

std::vector<latency::StoredDevice> stored_devices(const std::string& project) {
  const store::Database db(project, store::Database::Mode::kReadOnly);
  std::vector<latency::StoredDevice> devices;
  db.read([&](SQLite::Database& sql) { devices = latency::list_devices(sql); });
  return devices;
}

ExitCode list(const DeviceArguments& arguments) {
  core::TextTable table({{"name"},
                         {"runtime"},
                         {"threads", Align::kRight},
                         {"precision"},
                         {"units", Align::kRight},
                         {"networks", Align::kRight},
                         {"fingerprint"}});
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const latency::StoredDevice& device : stored_devices(arguments.project)) {
    const std::string fingerprint = core::hex64(latency::device_fingerprint(device.row));
    table.add_row({device.row.name, device.row.runtime, std::to_string(device.row.threads),
                   device.row.precision, std::to_string(device.num_units),
                   std::to_string(device.num_networks), fingerprint});
    json.push_back({{"name", device.row.name},
                    {"runtime", device.row.runtime},
                    {"threads", device.row.threads},
                    {"precision", device.row.precision},
                    {"units", device.num_units},
                    {"networks", device.num_networks},
                    {"fingerprint", fingerprint}});
  }
  std::fputs((arguments.json ? json.dump(2) + "\n" : table.str()).c_str(), stdout);
  return ExitCode::kDone;
}

/// "1.0960 x sum + 0.025 ms + 0.084 ms a MB of weights"
std::string correction_text(const latency::Correction& correction) {
  std::string text = fmt::format("{:.4f} x sum", correction.scale);
  const auto add = [&text](double time_ms, const char* of) {
    if (time_ms == 0.0) return;
    text +=
        fmt::format(" {} {}{}", time_ms < 0.0 ? '-' : '+', core::format_ms(std::abs(time_ms)), of);
  };
  add(correction.offset_ms, "");
  add(correction.unit_overhead_ms, " a unit");
  add(correction.weight_ms_per_mb, " a MB of weights");
  return text;
}

/// "163, ± 3.1 %"
std::string estimated_units_text(const latency::LatencyModelRow& model) {
  std::string text = std::to_string(model.num_estimated);
  if (model.mean_rel_deviation) {
    text += fmt::format(", \u00b1 {}", core::format_percent(*model.mean_rel_deviation));
  }
  return text;
}

std::string models_text(const latency::StoredDevice& device) {
  if (device.models.empty()) return "no latency table fitted yet\n";
  core::TextTable table({{"estimate"},
                         {"units estimated", Align::kRight},
                         {"fitted on", Align::kRight},
                         {"judged on", Align::kRight},
                         {"mean error", Align::kRight},
                         {"within 10 %", Align::kRight},
                         {"R2", Align::kRight},
                         {"Kendall tau", Align::kRight}});
  for (const latency::LatencyModelRow& model : device.models) {
    const auto percent = [](const std::optional<double>& value) {
      return value ? core::format_percent(*value) : std::string("–");
    };
    table.add_row({correction_text(model.correction), estimated_units_text(model),
                   std::to_string(model.correction.num_fit), std::to_string(model.check.num_check),
                   percent(model.check.mape), percent(model.check.within_10_percent),
                   model.check.r2 ? fmt::format("{:.3f}", *model.check.r2) : std::string("–"),
                   model.check.kendall_tau ? fmt::format("{:.3f}", *model.check.kendall_tau)
                                           : std::string("–")});
  }
  return table.str();
}

ExitCode show(const DeviceArguments& arguments) {
  const std::vector<latency::StoredDevice> devices = stored_devices(arguments.project);
  const latency::StoredDevice& device =
      latency::find_device(devices, arguments.name, core::path_text(arguments.project));
  std::printf("%s: %s, %d threads, %s, %lld units and %lld whole networks measured\n%s\n\n%s\n",
              device.row.name.c_str(), device.row.runtime.c_str(), device.row.threads,
              device.row.precision.c_str(), static_cast<long long>(device.num_units),
              static_cast<long long>(device.num_networks), device.row.description.c_str(),
              models_text(device).c_str());
  return ExitCode::kDone;
}

/// Asks the device who it is, so that a runner that does not work is found before a profile.
ExitCode add(const DeviceArguments& arguments, const Invocation& invocation) {
  const auto config = core::read_config<pipeline::DeviceConfig>(core::parse_yaml(
      core::read_text_file(arguments.file, 1 << 20), core::path_text(arguments.file)));
  const auto timer = invocation.services->make_timer
                         ? invocation.services->make_timer(config, arguments.compute)
                         : pipeline::make_timer(config, arguments.compute);
  const latency::DeviceRow row{.name = config.name,
                               .runtime = config.runtime,
                               .threads = config.threads,
                               .description = timer->describe()};
  const store::ProjectLock lock(arguments.project, invocation.command_line);
  store::Database db(arguments.project, store::Database::Mode::kReadWrite);
  std::size_t before = 0;
  std::size_t after = 0;
  db.write([&](SQLite::Database& sql) {
    before = latency::list_devices(sql).size();
    latency::put_device(sql, row);
    after = latency::list_devices(sql).size();
  });
  std::printf("%s %s: %s\n%s\n", after > before ? "added" : "there already:", row.name.c_str(),
              core::hex64(latency::device_fingerprint(row)).c_str(), row.description.c_str());
  return ExitCode::kDone;
}

nlohmann::ordered_json json_of(const latency::TimeComparison& comparison) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  nlohmann::ordered_json json{{"common", comparison.times.size()},
                              {"median_ratio", number(comparison.median_ratio)},
                              {"p10_ratio", number(comparison.p10_ratio)},
                              {"p90_ratio", number(comparison.p90_ratio)},
                              {"spearman", number(comparison.spearman)},
                              {"kendall_tau", number(comparison.kendall_tau)},
                              {"times", nlohmann::ordered_json::array()}};
  for (const latency::ComparedTime& time : comparison.times) {
    json["times"].push_back(
        {{"what", time.what}, {"first_ms", time.first_ms}, {"second_ms", time.second_ms}});
  }
  return json;
}

std::string comparison_text(const std::string& what, const latency::TimeComparison& comparison,
                            const DeviceArguments& arguments) {
  constexpr std::size_t kShownAtEachEnd = 5;
  if (comparison.times.empty()) return fmt::format("no {} in common\n", what);
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.3f}", *value) : std::string("–");
  };
  std::string text = fmt::format(
      "{} {} in common: {} takes {:.3f} times as long as {} (10 % below {:.3f}, 10 % above "
      "{:.3f}); "
      "rank correlation: Spearman {}, Kendall {}\n",
      comparison.times.size(), what, arguments.other, *comparison.median_ratio, arguments.name,
      *comparison.p10_ratio, *comparison.p90_ratio, number(comparison.spearman),
      number(comparison.kendall_tau));
  core::TextTable table({{"ratio", Align::kRight},
                         {arguments.name, Align::kRight},
                         {arguments.other, Align::kRight},
                         {what}});
  const std::size_t count = comparison.times.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (i >= kShownAtEachEnd && i + kShownAtEachEnd < count) continue;
    const latency::ComparedTime& time = comparison.times[i];
    table.add_row({fmt::format("{:.3f}", time.ratio()), core::format_ms(time.first_ms),
                   core::format_ms(time.second_ms), time.what});
  }
  return text + table.str() + "\n";
}

ExitCode compare(const DeviceArguments& arguments) {
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  const latency::DeviceComparison comparison =
      latency::compare_devices(db, arguments.name, arguments.other);
  const std::string text = arguments.json
                               ? nlohmann::ordered_json{{"units", json_of(comparison.units)},
                                                        {"networks", json_of(comparison.networks)}}
                                         .dump(2) +
                                     "\n"
                               : comparison_text("units", comparison.units, arguments) +
                                     comparison_text("networks", comparison.networks, arguments);
  std::fputs(text.c_str(), stdout);
  return ExitCode::kDone;
}

}  // namespace

void add_device_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<DeviceArguments>();
  CLI::App* command = app.add_subcommand(
      "device", "devices in a project file and how good their latency tables are");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  omnifit device list runs/quickstart/quickstart.db\n"
      "  omnifit device show runs/quickstart/quickstart.db this-cpu\n"
      "  omnifit device add runs/quickstart/quickstart.db phone.yaml\n"
      "  omnifit device compare runs/quickstart/quickstart.db this-cpu phone");
  const auto add_action = [&](const char* name, const char* summary, auto action) {
    CLI::App* sub = command->add_subcommand(name, summary);
    sub->add_option("PROJECT", arguments->project, "project file")->required();
    sub->callback([arguments, &invocation, action] {
      invocation.action = [arguments, &invocation, action] {
        return action(*arguments, invocation);
      };
    });
    return sub;
  };
  CLI::App* list_command =
      add_action("list", "every device", [](const auto& a, const auto&) { return list(a); });
  list_command->add_flag("--json", arguments->json, "JSON on stdout");
  CLI::App* show_command = add_action("show", "one device and its tables",
                                      [](const auto& a, const auto&) { return show(a); });
  show_command->add_option("NAME", arguments->name, "of the device, or its fingerprint")
      ->required();
  CLI::App* add_command = add_action("add", "ask a device who it is and note it",
                                     [](const auto& a, const Invocation& i) { return add(a, i); });
  add_command->add_option("FILE", arguments->file, "YAML with the keys of a job's device section")
      ->required();
  add_command->add_option("--compute", arguments->compute, "where LibTorch runs: cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  CLI::App* compare_command =
      add_action("compare", "two devices on what both measured: ratio and rank correlation",
                 [](const auto& a, const auto&) { return compare(a); });
  compare_command->add_option("NAME", arguments->name, "of a device, or its fingerprint")
      ->required();
  compare_command->add_option("OTHER", arguments->other, "another one")->required();
  compare_command->add_flag("--json", arguments->json, "JSON on stdout");
  add_device_import_commands(*command, invocation);
}

}  // namespace omnifit::cli
