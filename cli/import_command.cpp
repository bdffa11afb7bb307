#include "cli/command.hpp"
#include "cli/import_predictor_command.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "formats/network_description.hpp"
#include "formats/network_file.hpp"
#include "formats/torch_file.hpp"
#include "space/costs.hpp"
#include "supernet/reference_import.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

namespace omnifit::cli {
namespace {

using Path = std::filesystem::path;
using Json = nlohmann::ordered_json;

struct ImportArguments {
  std::string file;
  std::string space;
  std::string weights;
  std::string output;
  int resolution_px = 0;
  bool force = false;
  bool json = false;
};

/// Where the result goes: as asked, or into the working directory under the input's name.
Path output_file(const ImportArguments& arguments, const Path& input) {
  Path file = arguments.output;
  if (file.empty()) {
    // The reference's names may end like a number ("…_w1.0"), which is no extension.
    file = input.filename();
    if (file.extension() == ".pth" || file.extension() == ".pt") file.replace_extension();
    file += ".safetensors";
  }
  std::error_code unknown;  // what cannot be looked at, writing will complain about
  if (!arguments.force && std::filesystem::exists(file, unknown)) {
    throw DataError(fmt::format("{}: exists already; choose another --output or give --force",
                                core::path_text(file)));
  }
  return file;
}

void print(const ImportArguments& arguments, const Json& json, const std::string& text) {
  std::printf("%s\n", arguments.json ? json.dump(2).c_str() : text.c_str());
}

ExitCode import_checkpoint(const ImportArguments& arguments) {
  const space::SearchSpace space = pipeline::find_space(arguments.space, core::working_folder());
  const Path input = arguments.file;
  const Path output = output_file(arguments, input);
  const std::string where = core::path_text(input);
  const formats::TensorFile state = formats::read_torch_file(input);
  const supernet::ImportedSupernet imported =
      supernet::import_reference_supernet(state, space, where);
  supernet::write_imported_checkpoint(output, imported.network, space, {core::sha256_file(input)});

  const space::TaskIo& io = imported.network.io();
  const Json json{{"checkpoint", core::path_text(output)}, {"space", space.name()},
                  {"in_channels", io.in_channels},         {"num_classes", io.num_classes},
                  {"tensors", imported.num_tensors},       {"filled", imported.filled}};
  std::string text = fmt::format(
      "wrote {}: a supernet of '{}', {} image channels, {} classes, {} tensors",
      core::path_text(output), space.name(), io.in_channels, io.num_classes, imported.num_tensors);
  if (!imported.filled.empty()) {
    text += fmt::format("\n{} not in the file, left neutral: {}", imported.filled.size(),
                        fmt::join(imported.filled, ", "));
  }
  print(arguments, json, text);
  return ExitCode::kDone;
}

ExitCode import_network(const ImportArguments& arguments) {
  const Path input = arguments.weights;
  const Path output = output_file(arguments, input);
  const auto resolution =
      arguments.resolution_px > 0 ? std::optional(arguments.resolution_px) : std::nullopt;
  const formats::NetworkDescription description =
      formats::read_network_description(arguments.file, resolution);
  const formats::FoldedNetwork network = supernet::import_reference_network(
      formats::read_torch_file(input), description, core::path_text(input));
  formats::write_network_file(
      output, network,
      {{"source", core::path_text(input.filename())}, {"source_sha256", core::sha256_file(input)}});

  const space::NetworkPlan& plan = network.plan;
  const Json json{{"network", core::path_text(output)},
                  {"family", formats::network_family_name(description.family)},
                  {"in_channels", plan.io.in_channels},
                  {"num_classes", plan.io.num_classes},
                  {"resolution_px", plan.resolution_px},
                  {"units", plan.units.size()},
                  {"macs", space::macs(plan)},
                  {"params", space::params_count(plan)}};
  print(arguments, json,
        fmt::format("wrote {}: {} units, {} image channels, {} px, {} classes, {} MACs, {} "
                    "parameters",
                    core::path_text(output), plan.units.size(), plan.io.in_channels,
                    plan.resolution_px, plan.io.num_classes,
                    core::format_count(static_cast<double>(space::macs(plan))),
                    core::format_count(static_cast<double>(space::params_count(plan)))));
  return ExitCode::kDone;
}

/// What both kinds of import share.
void add_output_options(CLI::App& command, ImportArguments& arguments) {
  command
      .add_option("--output", arguments.output,
                  "file to write (default: the weights' name with .safetensors, here)")
      ->type_name("FILE");
  command.add_flag("--force", arguments.force, "replace the output if it is there");
  command.add_flag("--json", arguments.json, "JSON on stdout");
}

void add_checkpoint(CLI::App& parent, Invocation& invocation) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command =
      parent.add_subcommand("checkpoint", "a supernet of the Once-for-All reference");
  command->add_option("FILE", arguments->file, "PyTorch file with the supernet's state dict")
      ->required();
  command->add_option("--space", arguments->space, "its space: a shipped name, or a YAML file")
      ->required();
  add_output_options(*command, *arguments);
  command->footer(
      "Example:\n"
      "  omnifit import checkpoint ofa_mbv3_d234_e346_k357_w1.0 --space ofa_mbv3");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments] { return import_checkpoint(*arguments); };
  });
}

void add_network(CLI::App& parent, Invocation& invocation) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command = parent.add_subcommand("network", "a specialised network of the reference");
  command
      ->add_option("DESCRIPTION", arguments->file,
                   "its net.config, or the folder with net.config and run.config")
      ->required();
  command->add_option("--weights", arguments->weights, "PyTorch file with its state dict")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--resolution", arguments->resolution_px,
                   "side of its images, where the description does not say it")
      ->type_name("PX")
      ->check(CLI::Range(1, 65536));
  add_output_options(*command, *arguments);
  command->footer(
      "Example:\n"
      "  omnifit import network net.config --weights init --resolution 224 --output "
      "net.safetensors");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments] { return import_network(*arguments); };
  });
}

}  // namespace

void add_import_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      app.add_subcommand("import", "bring in what the Once-for-All reference released");
  command->require_subcommand(1);
  command->footer(
      "Nothing in a PyTorch file is run; files that ask for it are refused.\n"
      "Examples:\n"
      "  omnifit import checkpoint ofa_mbv3.pth --space ofa_mbv3\n"
      "  omnifit import network net.config --weights init --resolution 224\n"
      "  omnifit import predictor acc_predictor.pth --space my_space.yaml --project search.db");
  add_checkpoint(*command, invocation);
  add_network(*command, invocation);
  add_import_predictor(*command, invocation);
}

}  // namespace omnifit::cli
