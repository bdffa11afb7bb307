#include "cli/command.hpp"
#include "core/fields.hpp"
#include "core/file_io.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "formats/network_description.hpp"
#include "space/costs.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace omnifit::cli {
namespace {

namespace fs = std::filesystem;
using core::Align;

struct DescribeArguments {
  std::vector<std::string> paths;
  std::string space;
  std::optional<double> width_mult;
  std::string arch;
  std::optional<int> resolution_px;
  space::TaskIo io;
  bool json = false;
};

struct NamedSpace {
  space::SearchSpace space;
  std::string name;  ///< for people: with the width multiplier where it is not the space's own
  std::optional<formats::NetworkFamily> only;  ///< what is looked up in it; empty: everything
};

NamedSpace space_of_width(const std::string& name, std::optional<double> width_mult) {
  space::SearchSpace space = pipeline::find_space(name, core::working_folder());
  std::string shown = space.name();
  if (width_mult) {
    core::Node root = core::parse_yaml(space.canonical_yaml(), name);
    core::apply_override(root, fmt::format("width_mult={}", *width_mult));
    space = space::SearchSpace::from_yaml(root);
    shown += fmt::format(" x{:g}", *width_mult);
  }
  return {std::move(space), std::move(shown), std::nullopt};
}

/// What to look a network up in: the space that was asked for, or those of the reference.
std::vector<NamedSpace> spaces_to_search(const DescribeArguments& arguments) {
  using Family = formats::NetworkFamily;
  if (!arguments.space.empty()) return {space_of_width(arguments.space, arguments.width_mult)};
  std::vector<NamedSpace> spaces;
  const auto add = [&spaces](const char* name, std::optional<double> width_mult, Family family) {
    spaces.push_back(space_of_width(name, width_mult));
    spaces.back().only = family;
  };
  add("ofa_mbv3", std::nullopt, Family::kMobileNetV3);
  add("ofa_mbv3", 1.2, Family::kMobileNetV3);
  add("ofa_proxyless", std::nullopt, Family::kProxylessNas);
  add("ofa_proxyless_google", std::nullopt, Family::kProxylessNas);
  add("ofa_resnet50", std::nullopt, Family::kResNet);
  return spaces;
}

/// A file as it is; of a folder its net.config, or those of its folders, in the order of names.
std::vector<fs::path> descriptions_at(const fs::path& path) {
  const auto is_description = [](const fs::path& folder) {
    std::error_code ignored;
    return fs::exists(folder / "net.config", ignored);
  };
  std::error_code error;
  // What cannot be looked at is left to the reader, which says why.
  if (!fs::is_directory(path, error) || is_description(path)) return {path};
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_description(entry->path())) found.push_back(entry->path());
  }
  if (error) {
    throw DataError(fmt::format("{}: cannot list: {}", core::path_text(path), error.message()));
  }
  if (found.empty()) {
    throw DataError(
        fmt::format("{}: found no net.config here or one folder below", core::path_text(path)));
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// A network and what it is in the nearest space.
struct Row {
  std::string name;
  formats::NetworkDescription description;
  std::string space;  ///< whose subnet it is, or which it misses by the least
  std::string arch;   ///< one-line form; empty if it is no subnet
  std::string arch_json;
  std::string reason;  ///< why it is none
};

Row look_up(const fs::path& path, const std::vector<NamedSpace>& spaces,
            std::optional<int> resolution_px) {
  Row row;
  row.name = core::path_text(path.has_filename() ? path.filename() : path.parent_path().filename());
  row.description = formats::read_network_description(path, resolution_px);
  int matched_units = -1;
  for (const NamedSpace& candidate : spaces) {
    if (candidate.only && *candidate.only != row.description.family) continue;
    const auto found = formats::find_arch(candidate.space, row.description);
    if (const auto* arch = std::get_if<space::Arch>(&found)) {
      row.space = candidate.name;
      row.arch = space::to_text(candidate.space, *arch);
      row.arch_json = space::to_json(candidate.space, *arch);
      row.reason.clear();
      return row;
    }
    const auto& miss = std::get<space::NotInSpace>(found);
    if (miss.matched_units <= matched_units) continue;
    matched_units = miss.matched_units;
    row.space = candidate.name;
    row.reason = miss.reason;
  }
  return row;
}

nlohmann::ordered_json row_json(const Row& row) {
  nlohmann::ordered_json json{{"name", row.name},
                              {"family", formats::network_family_name(row.description.family)},
                              {"resolution_px", row.description.plan.resolution_px},
                              {"classes", row.description.plan.io.num_classes},
                              {"macs", space::macs(row.description.plan)},
                              {"params", space::params_count(row.description.plan)},
                              {"space", row.space}};
  if (row.arch.empty()) {
    json["not_in_space"] = row.reason;
  } else {
    json["arch"] = row.arch;
    json["arch_json"] = nlohmann::ordered_json::parse(row.arch_json);
  }
  return json;
}

void print_rows(const std::vector<Row>& rows, bool as_json) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  core::TextTable table({{"network"},
                         {"family"},
                         {"pixels", Align::kRight},
                         {"MACs", Align::kRight},
                         {"parameters", Align::kRight},
                         {"space"},
                         {"arch"}});
  for (const Row& row : rows) {
    if (as_json) json.push_back(row_json(row));
    const space::NetworkPlan& plan = row.description.plan;
    table.add_row({row.name, formats::network_family_name(row.description.family),
                   std::to_string(plan.resolution_px), std::to_string(space::macs(plan)),
                   std::to_string(space::params_count(plan)),
                   row.arch.empty() ? "not in " + row.space : row.space,
                   row.arch.empty() ? row.reason : row.arch});
  }
  std::fputs((as_json ? json.dump(2) + "\n" : table.str()).c_str(), stdout);
}

/// The other way round: the reference's description of a subnet.
ExitCode write_description(const DescribeArguments& arguments) {
  if (arguments.space.empty()) throw ConfigError("--arch needs --space");
  if (arguments.resolution_px) throw ConfigError("--resolution: an arch has its own");
  const space::SearchSpace space = space_of_width(arguments.space, arguments.width_mult).space;
  const space::Arch arch = space::parse_any_arch(space, arguments.arch);
  const formats::NetworkDescription description = formats::describe(space, arch, arguments.io);
  std::fputs(formats::network_description_json(description).c_str(), stdout);
  return ExitCode::kDone;
}

ExitCode describe(const DescribeArguments& arguments) {
  if (arguments.paths.empty() == arguments.arch.empty()) {
    throw ConfigError("describe needs either network descriptions to read or --arch to write one");
  }
  if (!arguments.arch.empty()) return write_description(arguments);
  if (arguments.space.empty() && arguments.width_mult)
    throw ConfigError("--width-mult needs --space");
  const std::vector<NamedSpace> spaces = spaces_to_search(arguments);
  std::vector<Row> rows;
  for (const std::string& path : arguments.paths) {
    for (const fs::path& file : descriptions_at(path))
      rows.push_back(look_up(file, spaces, arguments.resolution_px));
  }
  print_rows(rows, arguments.json);
  return ExitCode::kDone;
}

}  // namespace

void add_describe_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<DescribeArguments>();
  CLI::App* command = app.add_subcommand(
      "describe",
      "read the Once-for-All reference's network descriptions (net.config), or write "
      "a subnet's");
  command->add_option("PATH", arguments->paths,
                      "description files, folders with a net.config, or folders of such folders");
  command->add_option("--space", arguments->space,
                      "where to look the networks up (default: the reference's own spaces), or "
                      "the space of --arch");
  command->add_option("--width-mult", arguments->width_mult, "in place of the space's own")
      ->check(CLI::Range(0.01, 100.0));
  command
      ->add_option("--arch", arguments->arch,
                   "print the description of this subnet (one-line or JSON form)")
      ->type_name("TEXT");
  command
      ->add_option("--resolution", arguments->resolution_px,
                   "input pixels, in place of the file's own or its run.config's")
      ->type_name("PX");
  command->add_option("--channels", arguments->io.in_channels, "image channels of --arch")
      ->check(CLI::Range(1, 4096));
  command->add_option("--classes", arguments->io.num_classes, "classes of --arch")
      ->check(CLI::Range(1, 1'000'000));
  command->add_flag("--json", arguments->json, "JSON on stdout");
  command->footer(
      "Examples:\n"
      "  omnifit describe net.config --resolution 224\n"
      "  omnifit describe specialized/ --json\n"
      "  omnifit describe --space ofa_mbv3 --width-mult 1.2 --arch largest > net.config");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments] { return describe(*arguments); };
  });
}

}  // namespace omnifit::cli
