#include "cli/command.hpp"
#include "cli/space_option.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "formats/network_timings.hpp"
#include "latency_lut/foreign_store.hpp"
#include "latency_lut/imported_networks.hpp"
#include "latency_lut/latency_store.hpp"
#include "pipeline/pipeline_store.hpp"
#include "store/arch_rows.hpp"
#include "store/database.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace omnifit::cli {
namespace {

using Json = nlohmann::ordered_json;
using Path = std::filesystem::path;

/// Of the parts that judge a model of imported timings: the same for every project.
constexpr std::uint64_t kSplitSeed = 1;

struct ImportDeviceArguments {
  std::vector<std::string> files;
  std::string project;
  SpaceOption space;
  std::string name;
  std::string output;
  std::vector<std::string> columns;
  space::TaskIo io;
  int count = 10;
  bool force = false;
  bool json = false;
};

void print(const ImportDeviceArguments& arguments, const Json& json, const std::string& text) {
  std::printf("%s\n", arguments.json ? json.dump(2).c_str() : text.c_str());
}

/// The project file opened for writing, with the row of the space.
struct WritableProject {
  WritableProject(const ImportDeviceArguments& arguments, const std::string& command_line,
                  const space::SearchSpace& space)
      : lock(arguments.project, command_line),
        db(arguments.project, store::Database::Mode::kReadWrite) {
    db.write([&](SQLite::Database& sql) {
      space_id = store::put_space(sql, {core::hex64(space.fingerprint()), space.name(),
                                        space.version(), space.family(), space.canonical_yaml()});
    });
  }
  store::ProjectLock lock;
  store::Database db;
  std::int64_t space_id = 0;
};

void put_networks(WritableProject& project, std::int64_t device, const space::SearchSpace& space,
                  const space::TaskIo& io, const std::vector<space::Arch>& archs,
                  const std::vector<double>& ms) {
  project.db.write([&](SQLite::Database& sql) {
    std::vector<latency::ImportedNetwork> rows;
    for (std::size_t i = 0; i < archs.size(); ++i) {
      rows.push_back({pipeline::put_arch(sql, project.space_id, space, archs[i], io), ms[i]});
    }
    latency::put_imported_networks(sql, device, rows);
  });
}

std::string check_text(const latency::EstimateCheck& check) {
  std::string text;
  if (check.r2) text += fmt::format(", R2 {:.4f}", *check.r2);
  if (check.mape) text += ", mean error " + core::format_percent(*check.mape);
  if (check.within_10_percent) {
    text += ", within 10 % " + core::format_percent(*check.within_10_percent);
  }
  if (check.kendall_tau) text += fmt::format(", Kendall tau {:.3f}", *check.kendall_tau);
  return text;
}

Json check_json(const latency::EstimateCheck& check) {
  const auto number = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json();
  };
  return {{"networks", check.num_check},
          {"r2", number(check.r2)},
          {"mape", number(check.mape)},
          {"within_10_percent", number(check.within_10_percent)},
          {"kendall_tau", number(check.kendall_tau)}};
}

std::int64_t device_row(WritableProject& project, const std::string& name) {
  std::int64_t device = 0;
  project.db.write([&](SQLite::Database& sql) {
    device = latency::put_device(sql, latency::imported_device(name));
  });
  return device;
}

ExitCode import_tables(const ImportDeviceArguments& arguments, const std::string& command_line) {
  const space::SearchSpace space = arguments.space.load();
  std::vector<formats::ForeignLatencyTable> tables;
  for (const std::string& file : arguments.files) {
    tables.push_back(formats::read_latency_table(file));
  }
  const latency::ForeignTables device_tables(
      tables, latency::ForeignTables::detect_dialect(tables, space, arguments.io));
  const auto match = device_tables.match(space, arguments.io);
  WritableProject project(arguments, command_line, space);
  const std::int64_t device = device_row(project, arguments.name);
  project.db.write(
      [&](SQLite::Database& sql) { latency::put_foreign_tables(sql, device, device_tables); });

  const std::string& dialect = formats::latency_dialect_name(device_tables.dialect());
  std::vector<std::string> missing;
  for (const auto& spec : match.missing) missing.push_back(space::spec_text(spec));
  std::string text = fmt::format(
      "imported {} keys of {} tables ({}) as device '{}'; of {} resolutions of '{}' they cover {}: "
      "{}",
      match.num_keys, tables.size(), dialect, arguments.name, space.resolutions().size(),
      space.name(), match.resolutions_px.size(), fmt::join(match.resolutions_px, ", "));
  if (!match.unknown_keys.empty()) {
    text += fmt::format("\n{} keys are no unit of the space; they are kept, for the export:\n  {}",
                        match.unknown_keys.size(), fmt::join(match.unknown_keys, "\n  "));
  }
  if (!missing.empty()) {
    text += fmt::format("\n{} units have no number; networks that use them have no estimate:\n  {}",
                        missing.size(), fmt::join(missing, "\n  "));
  }
  print(arguments,
        {{"device", arguments.name},
         {"dialect", dialect},
         {"keys", match.num_keys},
         {"resolutions_px", match.resolutions_px},
         {"unknown_keys", match.unknown_keys},
         {"missing_units", missing}},
        text);
  return ExitCode::kDone;
}

ExitCode import_networks(const ImportDeviceArguments& arguments, const std::string& command_line) {
  const space::SearchSpace space = arguments.space.load();
  if (arguments.files.size() > 1) {
    throw ConfigError("whole-network timings are imported one file at a time");
  }
  const formats::NetworkTimings timings =
      formats::read_network_timings(space, arguments.files.front(), arguments.columns);
  WritableProject project(arguments, command_line, space);
  Json devices = Json::array();
  std::string text = fmt::format("{}: {} networks", arguments.files.front(), timings.archs.size());
  for (const auto& column : timings.columns) {
    const std::string name =
        timings.columns.size() == 1 ? arguments.name : arguments.name + "-" + column.name;
    const latency::JudgedModel judged =
        latency::fit_and_judge(space, arguments.io, {timings.archs, column.ms}, kSplitSeed);
    const std::int64_t device = device_row(project, name);
    put_networks(project, device, space, arguments.io, timings.archs, column.ms);
    project.db.write([&](SQLite::Database& sql) {
      latency::put_network_model(sql, {device, project.space_id, judged.model, judged.check});
    });
    devices.push_back({{"device", name},
                       {"deviation_ms", judged.model.deviation_ms()},
                       {"check", check_json(judged.check)}});
    text += fmt::format("\ndevice '{}': additive model, deviation {}{}", name,
                        core::format_ms(judged.model.deviation_ms()), check_text(judged.check));
  }
  print(arguments, devices, text);
  return ExitCode::kDone;
}

ExitCode import_device(const ImportDeviceArguments& arguments, const std::string& command_line) {
  const auto is_table = [](const std::string& file) {
    const std::string extension = Path(file).extension().string();
    return extension == ".yaml" || extension == ".yml";
  };
  const auto num_tables = std::count_if(arguments.files.begin(), arguments.files.end(), is_table);
  if (num_tables == 0) return import_networks(arguments, command_line);
  if (num_tables != static_cast<std::ptrdiff_t>(arguments.files.size())) {
    throw ConfigError(
        "latency tables (.yaml) and whole-network timings (.csv, .json) are imported apart");
  }
  return import_tables(arguments, command_line);
}

ExitCode export_device(const ImportDeviceArguments& arguments) {
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  std::optional<latency::ForeignTables> tables;
  db.read([&](SQLite::Database& sql) {
    const auto device = latency::find_imported_device(sql, arguments.name);
    if (device) tables = latency::get_foreign_tables(sql, *device);
  });
  if (!tables) {
    throw ConfigError(fmt::format("{}: no imported device '{}' with latency tables",
                                  arguments.project, arguments.name));
  }
  const Path folder = arguments.output;
  for (const auto& table : tables->tables()) {
    std::error_code unknown;  // what cannot be looked at, writing will complain about
    if (!arguments.force && std::filesystem::exists(folder / table.name, unknown)) {
      throw DataError(fmt::format("{}: exists already; choose another --output or give --force",
                                  core::path_text(folder / table.name)));
    }
  }
  for (const auto& table : tables->tables()) {
    core::write_file_atomically(folder / table.name, formats::latency_table_text(table));
    std::printf("wrote %s (%zu keys)\n", core::path_text(folder / table.name).c_str(),
                table.entries.size());
  }
  return ExitCode::kDone;
}

/// Id of the space in a project that was opened for reading.
std::int64_t space_id_of(SQLite::Database& sql, const space::SearchSpace& space,
                         const std::string& project) {
  const auto id = store::find_space(sql, core::hex64(space.fingerprint()));
  if (!id) {
    throw StateError(
        fmt::format("{}: nothing was imported for space '{}' yet", project, space.name()));
  }
  return *id;
}

ExitCode propose(const ImportDeviceArguments& arguments) {
  const space::SearchSpace space = arguments.space.load();
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  latency::KnownDevices known;
  db.read([&](SQLite::Database& sql) {
    known = latency::known_devices(sql, space, space_id_of(sql, space, arguments.project),
                                   arguments.name);
  });
  const auto chosen = known.transfer().propose(static_cast<std::size_t>(arguments.count));
  std::string csv = "arch,latency_ms\n";
  Json archs = Json::array();
  for (const std::size_t i : chosen) {
    const std::string text = space::to_text(space, known.candidates[i]);
    csv += "\"" + text + "\",\n";
    archs.push_back(text);
  }
  if (!arguments.output.empty()) {
    core::write_file_atomically(arguments.output, csv);
    std::printf(
        "wrote %s: measure these %zu networks, fill in latency_ms, then run omnifit device "
        "transfer\n",
        core::path_text(arguments.output).c_str(), chosen.size());
    return ExitCode::kDone;
  }
  csv.pop_back();
  print(arguments, {{"known_devices", known.names}, {"archs", archs}}, csv);
  return ExitCode::kDone;
}

ExitCode transfer(const ImportDeviceArguments& arguments, const std::string& command_line) {
  const space::SearchSpace space = arguments.space.load();
  const formats::NetworkTimings timings =
      formats::read_network_timings(space, arguments.files.front(), arguments.columns);
  if (timings.columns.size() != 1) {
    throw ConfigError("a transfer is for one device: give one --column");
  }
  WritableProject project(arguments, command_line, space);
  latency::KnownDevices known;
  project.db.read([&](SQLite::Database& sql) {
    known = latency::known_devices(sql, space, project.space_id, arguments.name, timings.archs);
  });
  const std::vector<double>& ms = timings.columns.front().ms;
  if (ms.size() < static_cast<std::size_t>(latency::DeviceTransfer::kMinMeasurements)) {
    throw DataError(fmt::format("{}: a transfer needs at least {} networks, found {}",
                                arguments.files.front(), latency::DeviceTransfer::kMinMeasurements,
                                ms.size()));
  }
  const latency::JudgedModel judged =
      latency::transfer_model(space, arguments.io, known, {timings.archs, ms});
  const std::int64_t device = device_row(project, arguments.name);
  put_networks(project, device, space, arguments.io, timings.archs, ms);
  project.db.write([&](SQLite::Database& sql) {
    latency::put_network_model(sql, {device, project.space_id, judged.model, judged.check});
  });
  print(arguments,
        {{"device", arguments.name},
         {"known_devices", known.names},
         {"measured", ms.size()},
         {"check", check_json(judged.check)}},
        fmt::format("device '{}': learnt from {} networks and {} other devices; each of the "
                    "networks estimated without its own timing{}",
                    arguments.name, ms.size(), known.names.size(), check_text(judged.check)));
  return ExitCode::kDone;
}

/// Options that all of these commands share.
void add_common(CLI::App& command, ImportDeviceArguments& arguments) {
  command.add_option("--project", arguments.project, "project file")->required();
  command.add_flag("--json", arguments.json, "JSON on stdout");
}

void add_space(CLI::App& command, ImportDeviceArguments& arguments) {
  arguments.space.add_to(command);
  command.add_option("--classes", arguments.io.num_classes, "of the networks' classifier")
      ->check(CLI::PositiveNumber);
  command.add_option("--channels", arguments.io.in_channels, "of the networks' images")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_device_import_commands(CLI::App& device, Invocation& invocation) {
  auto arguments = std::make_shared<ImportDeviceArguments>();
  const auto on_call = [&](CLI::App& command, auto action) {
    command.callback([arguments, &invocation, action] {
      invocation.action = [arguments, &invocation, action] {
        return action(*arguments, invocation.command_line);
      };
    });
  };
  CLI::App* import_command = device.add_subcommand(
      "import", "latency tables of other systems (.yaml), or whole-network timings (.csv, .json)");
  import_command->footer(
      "Examples:\n"
      "  omnifit device import note10/*.yaml --space ofa_mbv3 --set width_mult=1.2 --project p.db "
      "--name note10\n"
      "  omnifit device import timings.csv --space ofa_mbv3 --project p.db --name gpu --column "
      "titan_xp_64");
  import_command->add_option("FILE", arguments->files, "tables of one device, or timings")
      ->required();
  import_command
      ->add_option("--name", arguments->name,
                   "of the device; with several columns the "
                   "start of their names")
      ->required();
  import_command
      ->add_option("--column", arguments->columns, "column with latencies in ms; may be repeated")
      ->expected(1)
      ->take_all();
  add_common(*import_command, *arguments);
  add_space(*import_command, *arguments);
  on_call(*import_command, import_device);

  CLI::App* export_command =
      device.add_subcommand("export", "write a device's imported tables as they came");
  export_command->add_option("NAME", arguments->name, "of the device")->required();
  export_command->add_option("--output", arguments->output, "folder")->required();
  export_command->add_flag("--force", arguments->force, "replace files that exist");
  add_common(*export_command, *arguments);
  on_call(*export_command, [](const auto& a, const auto&) { return export_device(a); });

  CLI::App* propose_command = device.add_subcommand(
      "propose", "which networks to measure on a new device, given what others take");
  propose_command->add_option("--count", arguments->count, "networks")->check(CLI::Range(1, 600));
  propose_command->add_option("--name", arguments->name,
                              "of the new device, if it is in the "
                              "project already");
  propose_command->add_option("--output", arguments->output, "CSV file to fill in");
  add_common(*propose_command, *arguments);
  add_space(*propose_command, *arguments);
  on_call(*propose_command, [](const auto& a, const auto&) { return propose(a); });

  CLI::App* transfer_command = device.add_subcommand(
      "transfer", "a latency model of a new device from few networks measured on it");
  transfer_command->add_option("FILE", arguments->files, "timings (.csv, .json)")
      ->required()
      ->expected(1);
  transfer_command->add_option("--name", arguments->name, "of the new device")->required();
  transfer_command->add_option("--column", arguments->columns, "column with latencies in ms")
      ->expected(1);
  add_common(*transfer_command, *arguments);
  add_space(*transfer_command, *arguments);
  on_call(*transfer_command, transfer);
}

}  // namespace omnifit::cli
