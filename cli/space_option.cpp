#include "cli/space_option.hpp"

#include "core/file_io.hpp"
#include "core/node.hpp"
#include "pipeline/job.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>

namespace omnifit::cli {

void SpaceOption::add_to(CLI::App& command) {
  command.add_option("--space", name, "its space: a shipped name, or a YAML file")->required();
  command
      .add_option("--set", keys, "replaces a key of the space: width_mult=1.2, resolutions=[160]")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
}

space::SearchSpace SpaceOption::load() const {
  const std::filesystem::path here = core::working_folder();
  if (keys.empty()) return pipeline::find_space(name, here);
  const std::filesystem::path shipped = pipeline::shipped_spaces_folder() / (name + ".yaml");
  std::error_code unknown;
  const bool is_shipped = std::filesystem::exists(shipped, unknown);
  const bool is_file =
      name.ends_with(".yaml") || name.ends_with(".yml") || name.find('/') != std::string::npos;
  if (!is_shipped && !is_file) return pipeline::find_space(name, here);  // says what there is
  core::Node root = core::load_yaml(is_shipped ? shipped : here / name);
  for (const std::string& key : keys) core::apply_override(root, key);
  return space::SearchSpace::from_yaml(root);
}

}  // namespace omnifit::cli
