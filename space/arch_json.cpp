#include "space/arch.hpp"

#include "core/error.hpp"
#include "core/fields.hpp"
#include "core/node.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
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

/// The same for bottleneck spaces.
struct BottleneckJson {
  std::vector<int> depths;
  std::vector<double> expand_ratios;
  std::vector<int> width_mults;
  int image_size = 0;

  void fields(core::Fields& f) {
    f.integers("d", depths, {}, "of the stem, then blocks per stage beyond its base depth");
    f.reals("e", expand_ratios, {}, "expand ratio per block slot");
    f.integers("w", width_mults, {}, "index of the width multiplier: stem, stem output, stages");
    f.integer("image_size", image_size, {}, "side of the input in pixels");
    for (const char* key : {"d", "e", "w", "image_size"}) {
      if (f.reading() && !f.has(key)) f.error(key, "missing");
    }
  }
};

/// Stages that the JSON form lists: those with a gene; of a bottleneck space all.
std::vector<int> listed_stages(const SearchSpace& space) {
  std::vector<int> found;
  for (int stage = 0; stage < static_cast<int>(space.stages().size()); ++stage) {
    const bool elastic = std::any_of(space.genes().begin(), space.genes().end(),
                                     [stage](const Gene& gene) { return gene.stage == stage; });
    if (elastic || space.family_kind() == Family::kBottleneck) found.push_back(stage);
  }
  return found;
}

const StageConfig& config_of(const SearchSpace& space, int stage) {
  return space.stages()[static_cast<std::size_t>(stage)];
}

std::size_t num_block_slots(const SearchSpace& space, const std::vector<int>& stages) {
  std::size_t count = 0;
  for (const int stage : stages) {
    count += static_cast<std::size_t>(config_of(space, stage).max_depth());
  }
  return count;
}

std::vector<int> extra_depths(const StageConfig& stage) {
  std::vector<int> extra;
  for (const int depth : stage.depths) extra.push_back(depth - stage.base_depth);
  return extra;
}

/// What "d" says of a stem with its residual layer. Every smaller number leaves it out.
int full_stem_depth(const SearchSpace& space) {
  int largest = 1;
  for (const StageConfig& stage : space.stages()) {
    largest = std::max(largest, stage.max_depth() - stage.base_depth);
  }
  return largest;
}

/// Choice indices of an arch, found value by value.
class ChoiceFinder {
 public:
  explicit ChoiceFinder(const SearchSpace& space) : space_(space) {}

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

  [[nodiscard]] Arch arch() const {
    return {space_, std::span(std::as_const(choices_)).first(space_.genes().size())};
  }

 private:
  const SearchSpace& space_;
  std::array<std::uint8_t, Arch::kMaxGenes> choices_{};
};

Arch match(const SearchSpace& space, const ArchJson& json) {
  const std::vector<int> stages = listed_stages(space);
  const std::size_t num_blocks = num_block_slots(space, stages);
  ChoiceFinder finder(space);
  finder.check_length("d", json.depths.size(), stages.size());
  finder.check_length("ks", json.kernel_sizes.size(), num_blocks);
  finder.check_length("e", json.expand_ratios.size(), num_blocks);
  finder.set("image_size", json.image_size, space.resolutions(),
             space.find_gene(Axis::kResolution));
  std::size_t slot = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StageConfig& config = config_of(space, stages[i]);
    finder.set(fmt::format("d[{}]", i), json.depths[i], config.depths,
               space.find_gene(Axis::kDepth, stages[i]));
    for (int block = 0; block < config.max_depth(); ++block, ++slot) {
      finder.set(fmt::format("ks[{}]", slot), json.kernel_sizes[slot], config.kernel_sizes,
                 space.find_gene(Axis::kKernelSize, stages[i], block));
      finder.set(fmt::format("e[{}]", slot), json.expand_ratios[slot], config.expand_ratios,
                 space.find_gene(Axis::kExpandRatio, stages[i], block));
    }
  }
  return finder.arch();
}

void match_stem(const SearchSpace& space, const BottleneckJson& json,
                const std::vector<int>& width_indices, ChoiceFinder& finder) {
  const int full = full_stem_depth(space);
  const std::vector<int>& layers = space.stem_depths();
  const auto layers_of = [full](int number) { return number == full ? 1 : 0; };
  std::vector<int> allowed;
  for (int number = 0; number <= full; ++number) {
    if (std::ranges::find(layers, layers_of(number)) != layers.end()) allowed.push_back(number);
  }
  finder.set("d[0]", json.depths[0], allowed, std::nullopt);
  finder.set("d[0]", layers_of(json.depths[0]), layers, space.find_gene(Axis::kDepth, kStemStage));
  for (int part = 0; part < 2; ++part) {
    finder.set(fmt::format("w[{}]", part), json.width_mults[static_cast<std::size_t>(part)],
               width_indices, space.find_gene(Axis::kWidthMult, kStemStage, part));
  }
}

Arch match(const SearchSpace& space, const BottleneckJson& json) {
  const std::vector<int> stages = listed_stages(space);
  std::vector<int> width_indices(space.width_mults().size());
  std::iota(width_indices.begin(), width_indices.end(), 0);
  ChoiceFinder finder(space);
  finder.check_length("d", json.depths.size(), stages.size() + 1);
  finder.check_length("e", json.expand_ratios.size(), num_block_slots(space, stages));
  finder.check_length("w", json.width_mults.size(), stages.size() + 2);
  finder.set("image_size", json.image_size, space.resolutions(),
             space.find_gene(Axis::kResolution));
  match_stem(space, json, width_indices, finder);
  std::size_t slot = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StageConfig& config = config_of(space, stages[i]);
    finder.set(fmt::format("d[{}]", i + 1), json.depths[i + 1], extra_depths(config),
               space.find_gene(Axis::kDepth, stages[i]));
    finder.set(fmt::format("w[{}]", i + 2), json.width_mults[i + 2], width_indices,
               space.find_gene(Axis::kWidthMult, stages[i]));
    for (int block = 0; block < config.max_depth(); ++block, ++slot) {
      finder.set(fmt::format("e[{}]", slot), json.expand_ratios[slot], config.expand_ratios,
                 space.find_gene(Axis::kExpandRatio, stages[i], block));
    }
  }
  return finder.arch();
}

std::string print_mbconv(const SearchSpace& space, const Arch& arch) {
  ArchJson json;
  for (const int stage : listed_stages(space)) {
    json.depths.push_back(depth(space, arch, stage));
    for (int block = 0; block < config_of(space, stage).max_depth(); ++block) {
      json.kernel_sizes.push_back(
          static_cast<int>(axis_value(space, arch, Axis::kKernelSize, stage, block)));
      json.expand_ratios.push_back(axis_value(space, arch, Axis::kExpandRatio, stage, block));
    }
  }
  return fmt::format(R"({{"ks": [{}], "e": [{}], "d": [{}], "image_size": {}}})",
                     fmt::join(json.kernel_sizes, ", "), fmt::join(json.expand_ratios, ", "),
                     fmt::join(json.depths, ", "), resolution_px(space, arch));
}

std::string print_bottleneck(const SearchSpace& space, const Arch& arch) {
  const auto width_index = [&](int stage, int part) {
    const auto gene = space.find_gene(Axis::kWidthMult, stage, part);
    return gene ? arch.choice(*gene) : 0;
  };
  BottleneckJson json;
  const bool residual = axis_value(space, arch, Axis::kDepth, kStemStage) > 0;
  json.depths.push_back(residual ? full_stem_depth(space) : 0);
  json.width_mults = {width_index(kStemStage, 0), width_index(kStemStage, 1)};
  for (const int stage : listed_stages(space)) {
    const StageConfig& config = config_of(space, stage);
    json.depths.push_back(depth(space, arch, stage) - config.base_depth);
    json.width_mults.push_back(width_index(stage, -1));
    for (int block = 0; block < config.max_depth(); ++block) {
      json.expand_ratios.push_back(axis_value(space, arch, Axis::kExpandRatio, stage, block));
    }
  }
  return fmt::format(R"({{"d": [{}], "e": [{}], "w": [{}], "image_size": {}}})",
                     fmt::join(json.depths, ", "), fmt::join(json.expand_ratios, ", "),
                     fmt::join(json.width_mults, ", "), resolution_px(space, arch));
}

/// A tabular space: its genes' names are the keys.
std::string print_tabular(const SearchSpace& space, const Arch& arch) {
  std::vector<std::string> entries;
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    entries.push_back(fmt::format("\"{}\": \"{}\"", gene.name,
                                  choice_text(gene, arch.choice(static_cast<int>(g)))));
  }
  return fmt::format("{{{}}}", fmt::join(entries, ", "));
}

Arch match_tabular(const SearchSpace& space, const core::Node& root) {
  core::Diagnostics diagnostics;
  core::Fields f = core::Fields::reader(root, "", diagnostics);
  std::vector<std::uint8_t> choices(space.genes().size(), 0);
  for (std::size_t g = 0; g < choices.size(); ++g) {
    const Gene& gene = space.genes()[g];
    std::string label;
    f.text(gene.name, label, "choice of the gene");
    const auto found = std::find(gene.labels.begin(), gene.labels.end(), label);
    if (!f.has(gene.name)) {
      f.error(gene.name, "missing");
    } else if (found == gene.labels.end()) {
      f.error(gene.name,
              fmt::format("found '{}', allowed: {}", label, fmt::join(gene.labels, ", ")));
    } else {
      choices[g] = static_cast<std::uint8_t>(found - gene.labels.begin());
    }
  }
  f.finish();
  diagnostics.throw_if_any();
  return {space, choices};
}

}  // namespace

std::string to_json(const SearchSpace& space, const Arch& arch) {
  if (space.family_kind() == Family::kTabular) return print_tabular(space, arch);
  return space.family_kind() == Family::kBottleneck ? print_bottleneck(space, arch)
                                                    : print_mbconv(space, arch);
}

Arch parse_arch_json(const SearchSpace& space, std::string_view json) {
  const core::Node root = core::parse_yaml(json, "arch JSON");
  if (space.family_kind() == Family::kTabular) return match_tabular(space, root);
  return space.family_kind() == Family::kBottleneck
             ? match(space, core::read_config<BottleneckJson>(root))
             : match(space, core::read_config<ArchJson>(root));
}

Arch parse_any_arch(const SearchSpace& space, std::string_view text) {
  if (text == "largest") return largest(space);
  if (text == "smallest") return smallest(space);
  return text.starts_with('{') ? parse_arch_json(space, text) : parse_arch(space, text);
}

}  // namespace omnifit::space
