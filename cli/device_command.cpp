#include "cli/command.hpp"
#include "core/hash.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "latency_lut/stored_devices.hpp"
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

std::string models_text(const latency::StoredDevice& device) {
  if (device.models.empty()) return "no latency table fitted yet\n";
  core::TextTable table({{"estimate"},
                         {"fitted on", Align::kRight},
                         {"judged on", Align::kRight},
                         {"mean error", Align::kRight},
                         {"within 10 %", Align::kRight},
                         {"Kendall tau", Align::kRight}});
  for (const latency::LatencyModelRow& model : device.models) {
    const auto percent = [](const std::optional<double>& value) {
      return value ? core::format_percent(*value) : std::string("–");
    };
    table.add_row({fmt::format("{:.4f} x sum + {}", model.correction.scale,
                               core::format_ms(model.correction.offset_ms)),
                   std::to_string(model.correction.num_fit), std::to_string(model.check.num_check),
                   percent(model.check.mape), percent(model.check.within_10_percent),
                   model.check.kendall_tau ? fmt::format("{:.3f}", *model.check.kendall_tau)
                                           : std::string("–")});
  }
  return table.str();
}

ExitCode show(const DeviceArguments& arguments) {
  std::vector<std::string> names;
  bool found = false;
  for (const latency::StoredDevice& device : stored_devices(arguments.project)) {
    names.push_back(device.row.name);
    if (device.row.name != arguments.name) continue;
    found = true;
    std::printf("%s: %s, %d threads, %s, %lld units and %lld whole networks measured\n%s\n\n%s\n",
                device.row.name.c_str(), device.row.runtime.c_str(), device.row.threads,
                device.row.precision.c_str(), static_cast<long long>(device.num_units),
                static_cast<long long>(device.num_networks), device.row.description.c_str(),
                models_text(device).c_str());
  }
  if (!found) {
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    throw ConfigError(fmt::format("{}: no device '{}' (there: {})", arguments.project,
                                  arguments.name, known.empty() ? "none" : known));
  }
  return ExitCode::kDone;
}

}  // namespace

void add_device_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<DeviceArguments>();
  CLI::App* command = app.add_subcommand(
      "device", "devices in a project file and how good their latency tables are");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n  omnifit device list runs/quickstart/quickstart.db\n  omnifit device show "
      "runs/quickstart/quickstart.db this-cpu");
  CLI::App* list_command = command->add_subcommand("list", "every device");
  list_command->add_option("PROJECT", arguments->project, "project file")->required();
  list_command->add_flag("--json", arguments->json, "JSON on stdout");
  list_command->callback(
      [arguments, &invocation] { invocation.action = [arguments] { return list(*arguments); }; });
  CLI::App* show_command = command->add_subcommand("show", "one device and its tables");
  show_command->add_option("PROJECT", arguments->project, "project file")->required();
  show_command->add_option("NAME", arguments->name, "of the device")->required();
  show_command->callback(
      [arguments, &invocation] { invocation.action = [arguments] { return show(*arguments); }; });
}

}  // namespace omnifit::cli
