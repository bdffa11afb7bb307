#include "space/arch.hpp"

#include "core/error.hpp"
#include "core/fields.hpp"
#include "core/node.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace omnifit::space {

namespace {

/// What the JSON form holds, before it is matched to the space. Flow YAML contains JSON, so the
/// strict reader serves.
struct ArchJson {
  std::vector<int> kernel_sizes;
  std::vector<double> expand_ratios;
  std::vector<int> depths;
  int image_size = 0;

  void fields(core::Fields& f) {
    f.integers("ks", kernel_sizes, {}, "kernel size per block slot");
    f.reals("e", expand_ratios, {}, "expand ratio per block slot");
    f.integers("d", depths, {}, "depth per elastic stage");
    f.integer("image_size", image_size, {}, "side of the input in pixels");
    for (const char* key : {"ks", "e", "d", "image_size"}) {
      if (f.reading() && !f.has(key)) f.error(key, "missing");
    }
  }
};

std::vector<int> elastic_stages(const SearchSpace& space) {
  std::vector<int> found;
  for (int stage = 0; stage < static_cast<int>(space.stages().size()); ++stage) {
    const bool elastic = std::any_of(space.genes().begin(), space.genes().end(),
                                     [stage](const Gene& gene) { return gene.stage == stage; });
    if (elastic) found.push_back(stage);
  }
  return found;
}

class JsonMatcher {
 public:
  JsonMatcher(const SearchSpace& space, const ArchJson& json) : space_(space), json_(json) {}

  Arch match() {
    const std::vector<int> stages = elastic_stages(space_);
    std::size_t num_blocks = 0;
    for (const int stage : stages)
      num_blocks += static_cast<std::size_t>(config(stage).max_depth());
    check_length("d", json_.depths.size(), stages.size());
    check_length("ks", json_.kernel_sizes.size(), num_blocks);
    check_length("e", json_.expand_ratios.size(), num_blocks);
    set("image_size", json_.image_size, space_.resolutions(), space_.find_gene(Axis::kResolution));
    std::size_t slot = 0;
    for (std::size_t i = 0; i < stages.size(); ++i) match_stage(stages[i], i, slot);
    return {space_, std::span(std::as_const(choices_)).first(space_.genes().size())};
  }

 private:
  [[nodiscard]] const StageConfig& config(int stage) const {
    return space_.stages()[static_cast<std::size_t>(stage)];
  }

  void match_stage(int stage, std::size_t index, std::size_t& slot) {
    set(fmt::format("d[{}]", index), json_.depths[index], config(stage).depths,
        space_.find_gene(Axis::kDepth, stage));
    for (int block = 0; block < config(stage).max_depth(); ++block, ++slot) {
      set(fmt::format("ks[{}]", slot), json_.kernel_sizes[slot], config(stage).kernel_sizes,
          space_.find_gene(Axis::kKernelSize, stage, block));
      set(fmt::format("e[{}]", slot), json_.expand_ratios[slot], config(stage).expand_ratios,
          space_.find_gene(Axis::kExpandRatio, stage, block));
    }
  }

  static void check_length(const char* field, std::size_t found, std::size_t expected) {
    if (found == expected) return;
    throw ConfigError(
        fmt::format("arch JSON: {}: found {} values, expected {}", field, found, expected));
  }

  template <class T>
  void set(const std::string& field, T value, const std::vector<T>& choices,
           std::optional<int> gene) {
    const auto found = std::find(choices.begin(), choices.end(), value);
    if (found == choices.end()) {
      throw ConfigError(fmt::format("arch JSON: {}: found {}, allowed: {}", field, value,
                                    fmt::join(choices, ", ")));
    }
    if (gene) {
      choices_[static_cast<std::size_t>(*gene)] =
          static_cast<std::uint8_t>(found - choices.begin());
    }
  }

  const SearchSpace& space_;
  const ArchJson& json_;
  std::array<std::uint8_t, Arch::kMaxGenes> choices_{};
};

}  // namespace

std::string to_json(const SearchSpace& space, const Arch& arch) {
  ArchJson json;
  json.image_size = resolution_px(space, arch);
  for (const int stage : elastic_stages(space)) {
    json.depths.push_back(depth(space, arch, stage));
    const int max_depth = space.stages()[static_cast<std::size_t>(stage)].max_depth();
    for (int block = 0; block < max_depth; ++block) {
      json.kernel_sizes.push_back(
          static_cast<int>(axis_value(space, arch, Axis::kKernelSize, stage, block)));
      json.expand_ratios.push_back(axis_value(space, arch, Axis::kExpandRatio, stage, block));
    }
  }
  return fmt::format(R"({{"ks": [{}], "e": [{}], "d": [{}], "image_size": {}}})",
                     fmt::join(json.kernel_sizes, ", "), fmt::join(json.expand_ratios, ", "),
                     fmt::join(json.depths, ", "), json.image_size);
}

Arch parse_arch_json(const SearchSpace& space, std::string_view json) {
  const auto read = core::read_config<ArchJson>(core::parse_yaml(json, "arch JSON"));
  return JsonMatcher(space, read).match();
}

Arch parse_any_arch(const SearchSpace& space, std::string_view text) {
  if (text == "largest") return largest(space);
  if (text == "smallest") return smallest(space);
  return text.starts_with('{') ? parse_arch_json(space, text) : parse_arch(space, text);
}

}  // namespace omnifit::space
