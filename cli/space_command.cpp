#include "cli/command.hpp"
#include "cli/tabular_view.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/rng.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::cli {
namespace {

using core::Align;

struct SpaceArguments {
  std::string space;
  int sample = 0;
  bool count = false;
  std::string arch;
  std::uint64_t seed = 1;
  std::string data;
  space::TaskIo io{.in_channels = 3, .num_classes = 10};
  bool json = false;
};

void add_cost_row(core::TextTable& table, const space::SearchSpace& space, const space::Arch& arch,
                  const space::TaskIo& io) {
  const space::NetworkPlan plan = space::lower(space, arch, io);
  table.add_row({space::to_text(space, arch),
                 core::format_count(static_cast<double>(space::macs(plan))),
                 core::format_count(static_cast<double>(space::params_count(plan))),
                 core::format_bytes(static_cast<double>(space::peak_activation_bytes(plan))),
                 core::format_bytes(static_cast<double>(space::model_bytes(plan)))});
}

core::TextTable cost_table() {
  return core::TextTable({{"arch"},
                          {"MACs", Align::kRight},
                          {"parameters", Align::kRight},
                          {"peak memory", Align::kRight},
                          {"model size", Align::kRight}});
}

std::string joined_choices(const space::Gene& gene) {
  std::string text;
  for (const double choice : gene.choices)
    text += fmt::format("{}{:g}", text.empty() ? "" : " ", choice);
  return text;
}

void print_overview(const space::SearchSpace& space, const space::TaskIo& io) {
  std::printf("%s, version %d, family %s, fingerprint %s\n", space.name().c_str(), space.version(),
              space.family().c_str(), core::hex64(space.fingerprint()).c_str());
  std::printf("%s subnets, %zu genes, %zu distinct units to profile\n\n",
              space::to_string(space::cardinality(space)).c_str(), space.genes().size(),
              space::distinct_units(space, io).size());
  core::TextTable genes(
      {{"axis"}, {"stage", Align::kRight}, {"block", Align::kRight}, {"choices"}});
  for (const space::Gene& gene : space.genes()) {
    const std::string stage = gene.stage == space::kStemStage ? "stem"
                              : gene.stage < 0                ? ""
                                                              : std::to_string(gene.stage);
    genes.add_row({space::axis_name(gene.axis), stage,
                   gene.block < 0 ? "" : std::to_string(gene.block), joined_choices(gene)});
  }
  std::fputs(genes.str().c_str(), stdout);
  core::TextTable ends = cost_table();
  add_cost_row(ends, space, space::largest(space), io);
  add_cost_row(ends, space, space::smallest(space), io);
  std::fputs(("\nlargest and smallest subnet\n" + ends.str()).c_str(), stdout);
}

void print_count(const space::SearchSpace& space, const SpaceArguments& arguments) {
  const space::Count genotypes = space::num_genotypes(space);
  const space::Count networks = space::num_networks(space);
  const std::string archs = space::to_string(space::cardinality(space));
  const std::size_t resolutions = std::max<std::size_t>(space.resolutions().size(), 1);
  if (arguments.json) {
    // Numbers of JSON readers end at 2^53.
    const nlohmann::ordered_json json{{"space", space.name()},
                                      {"genotypes", space::to_string(genotypes)},
                                      {"networks", space::to_string(networks)},
                                      {"resolutions", resolutions},
                                      {"archs", archs}};
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  core::TextTable table({{"count", Align::kRight}, {"of"}});
  table.add_row({space::to_string(genotypes), "canonical genotypes"});
  if (networks < genotypes) {
    table.add_row({space::to_string(networks), "different networks (some choices round alike)"});
  }
  if (space.family_kind() != space::Family::kTabular) {
    table.add_row({std::to_string(resolutions), "resolutions"});
    table.add_row({archs, "archs: genotypes times resolutions"});
  }
  std::fputs(table.str().c_str(), stdout);
}

std::vector<space::Arch> sampled(const space::SearchSpace& space, const SpaceArguments& arguments) {
  std::vector<space::Arch> archs;
  for (int i = 0; i < arguments.sample; ++i) {
    core::Rng rng =
        core::Rng::stream(arguments.seed, core::Purpose::kSubnet, {static_cast<std::uint64_t>(i)});
    archs.push_back(space::sample(space, rng));
  }
  return archs;
}

void print_samples(const space::SearchSpace& space, const SpaceArguments& arguments) {
  core::TextTable table = cost_table();
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const space::Arch& arch : sampled(space, arguments)) {
    add_cost_row(table, space, arch, arguments.io);
    json.push_back(nlohmann::ordered_json::parse(space::to_json(space, arch)));
  }
  std::fputs((arguments.json ? json.dump(2) + "\n" : table.str()).c_str(), stdout);
}

void print_arch(const space::SearchSpace& space, const SpaceArguments& arguments) {
  const space::Arch arch = space::parse_any_arch(space, arguments.arch);
  if (arguments.json) {
    std::printf("%s\n", space::to_json(space, arch).c_str());
    return;
  }
  const space::NetworkPlan plan = space::lower(space, arch, arguments.io);
  const std::vector<space::Slot> slots = space::slots(space, arguments.io);
  core::TextTable table(
      {{"slot"}, {"unit"}, {"MACs", Align::kRight}, {"parameters", Align::kRight}});
  for (const space::PlanUnit& unit : plan.units) {
    table.add_row({slots[static_cast<std::size_t>(unit.slot)].name, space::spec_text(unit.spec),
                   core::format_count(static_cast<double>(space::macs(unit.spec))),
                   core::format_count(static_cast<double>(space::params_count(unit.spec)))});
  }
  std::fputs(table.str().c_str(), stdout);
  core::TextTable costs = cost_table();
  add_cost_row(costs, space, arch, arguments.io);
  std::fputs(("\n" + costs.str()).c_str(), stdout);
}

/// A tabular space has figures in place of layers and costs.
void print_tabular(const space::SearchSpace& space, const SpaceArguments& arguments) {
  std::optional<space::TabularData> data;
  if (!arguments.data.empty()) data = space::TabularData::load(space, arguments.data);
  if (!arguments.arch.empty()) {
    const space::Arch arch = space::parse_any_arch(space, arguments.arch);
    print_tabular_archs(space, data, std::span(&arch, 1), arguments.json);
  } else if (arguments.sample > 0) {
    print_tabular_archs(space, data, sampled(space, arguments), arguments.json);
  } else {
    print_tabular_overview(space, data);
  }
}

ExitCode look(const SpaceArguments& arguments) {
  const space::SearchSpace space = pipeline::find_space(arguments.space, core::working_folder());
  const bool tabular = space.family_kind() == space::Family::kTabular;
  if (!arguments.data.empty() && !tabular) {
    throw ConfigError(
        fmt::format("--data: space {} is not tabular, it has no tables to read", space.name()));
  }
  if (tabular && !arguments.count) {
    print_tabular(space, arguments);
  } else if (arguments.count) {
    print_count(space, arguments);
  } else if (!arguments.arch.empty()) {
    print_arch(space, arguments);
  } else if (arguments.sample > 0) {
    print_samples(space, arguments);
  } else {
    print_overview(space, arguments.io);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_space_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<SpaceArguments>();
  CLI::App* command = app.add_subcommand("space", "look at a search space");
  command->add_option("SPACE", arguments->space, "a shipped space's name, or a YAML file")
      ->required();
  CLI::Option* sample =
      command->add_option("--sample", arguments->sample, "print N random subnets with their costs")
          ->type_name("N")
          ->check(CLI::Range(1, 1'000'000));
  CLI::Option* count = command->add_flag(
      "--count", arguments->count, "print the exact number of subnets, and of different networks");
  command
      ->add_option("--arch", arguments->arch,
                   "print the layers and costs of one subnet (one-line or JSON form)")
      ->type_name("TEXT")
      ->excludes(sample)
      ->excludes(count);
  sample->excludes(count);
  command
      ->add_option("--data", arguments->data,
                   "folder of a tabular space's files: show the figures of archs")
      ->type_name("FOLDER");
  command->add_option("--seed", arguments->seed, "of --sample")->type_name("N");
  command->add_option("--channels", arguments->io.in_channels, "image channels of the task")
      ->check(CLI::Range(1, 4096));
  command->add_option("--classes", arguments->io.num_classes, "classes of the task")
      ->check(CLI::Range(1, 1'000'000));
  command->add_flag("--json", arguments->json, "JSON on stdout");
  command->footer(
      "Examples:\n"
      "  omnifit space mbv3_32px\n"
      "  omnifit space mbv3_32px --count\n"
      "  omnifit space configs/space/tiny.yaml --sample 5 --json\n"
      "  omnifit space nasbench201 --data /path/to/benchmarks --sample 5");
  command->callback(
      [arguments, &invocation] { invocation.action = [arguments] { return look(*arguments); }; });
}

}  // namespace omnifit::cli
