#include "space/search_space.hpp"

#include "core/error.hpp"
#include "core/fields.hpp"
#include "core/hash.hpp"
#include "space/arch.hpp"
#include "space/detail/bottleneck_file.hpp"
#include "space/detail/counting.hpp"
#include "space/detail/size_checks.hpp"
#include "space/detail/space_file.hpp"
#include "space/detail/tabular_file.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace omnifit::space {

namespace {

const core::EnumTable<Axis>& axis_table() {
  static const core::EnumTable<Axis> table{
      {Axis::kResolution, "resolution"},  {Axis::kDepth, "depth"},
      {Axis::kKernelSize, "kernel_size"}, {Axis::kExpandRatio, "expand_ratio"},
      {Axis::kWidthMult, "width_mult"},   {Axis::kCategory, "category"}};
  return table;
}

std::vector<double> to_reals(const std::vector<int>& values) {
  return {values.begin(), values.end()};
}

/// What the fingerprint covers: the file's meaning and the order of the genes, on which choice
/// indices rest.
std::string fingerprint_text(const std::string& canonical_yaml, const std::vector<Gene>& genes) {
  std::string text = canonical_yaml + "genes:";
  for (const Gene& gene : genes) text += " " + gene_name(gene);
  return text;
}

}  // namespace

const std::string& axis_name(Axis axis) { return core::enum_name(axis_table(), axis); }

std::string choice_text(const Gene& gene, int choice) {
  const auto index = static_cast<std::size_t>(choice);
  return gene.axis == Axis::kCategory ? gene.labels[index]
                                      : fmt::format("{:g}", gene.choices[index]);
}

std::string gene_name(const Gene& gene) {
  if (gene.axis == Axis::kCategory) return gene.name;
  if (gene.stage == -1) return axis_name(gene.axis);
  const std::string stage = gene.stage == kStemStage ? "stem" : std::to_string(gene.stage);
  if (gene.block < 0) return fmt::format("{}[{}]", axis_name(gene.axis), stage);
  return fmt::format("{}[{}.{}]", axis_name(gene.axis), stage, gene.block);
}

int make_divisible(double value, int divisor) {
  const int shifted = static_cast<int>(value + divisor / 2.0);
  int result = std::max(divisor, shifted / divisor * divisor);
  if (result < 0.9 * value) result += divisor;
  return result;
}

int squeeze_channels(int channels) {
  const int quarter = channels / 4;
  return make_divisible(quarter);
}

SearchSpace SearchSpace::read_family(const core::Node& root) {
  // Each family has keys of its own; an unknown one is reported by the first family's reader.
  const core::Node* family = root.find("family");
  const auto is = [&](Family kind) {
    return family != nullptr && family->scalar == family_name(kind);
  };
  if (is(Family::kTabular)) return SearchSpace(core::read_config<detail::TabularSpaceFile>(root));
  if (is(Family::kBottleneck)) return SearchSpace(core::read_config<detail::BottleneckFile>(root));
  return SearchSpace(core::read_config<detail::SpaceFile>(root));
}

SearchSpace SearchSpace::from_yaml(const core::Node& root) {
  SearchSpace space = read_family(root);
  const bool tabular = space.family_ == Family::kTabular;
  const std::string key = tabular ? "genes" : "stages";
  const core::Node* stages = root.find(key);
  const SourceLocation& where = stages != nullptr ? stages->where : root.where;
  if (space.genes_.size() > static_cast<std::size_t>(Arch::kMaxGenes)) {
    throw ConfigError(where, fmt::format("{}: the space has {} genes, at most {} are allowed", key,
                                         space.genes_.size(), Arch::kMaxGenes));
  }
  if (!detail::count_archs(space.genes_)) {
    throw ConfigError(where, key + ": the space has more than 2^128 archs, which is not supported");
  }
  if (!tabular) detail::check_size(space, where, key);
  return space;
}

SearchSpace SearchSpace::load(const std::filesystem::path& file) {
  return from_yaml(core::load_yaml(file));
}

SearchSpace::SearchSpace(const detail::SpaceFile& file)
    : name_(file.name),
      version_(file.version),
      family_(Family::kMbConv),
      canonical_yaml_(core::write_config(file)),
      resolutions_(file.resolutions),
      width_mults_{file.width_mult},
      batch_norm_(file.batch_norm.config),
      dropout_prob_(file.dropout_prob),
      stem_(file.stem.config) {
  for (const detail::StageFile& stage : file.stages) stages_.push_back(stage.config);
  for (const detail::HeadFile& conv : file.head) head_.push_back(conv.config);
  build_genes();
}

SearchSpace::SearchSpace(const detail::BottleneckFile& file)
    : name_(file.name),
      version_(file.version),
      family_(Family::kBottleneck),
      canonical_yaml_(core::write_config(file)),
      resolutions_(file.resolutions),
      width_mults_(file.width_mults),
      batch_norm_(file.batch_norm.config),
      dropout_prob_(file.dropout_prob),
      stem_{.name = file.stem.name,
            .width = file.stem.width,
            .kernel_size = 3,
            .stride = 2,
            .act = file.stem.act},
      stem_depths_(file.stem.depths) {
  for (const detail::BottleneckStageFile& stage : file.stages) stages_.push_back(stage.config);
  build_genes();
}

SearchSpace::SearchSpace(const detail::TabularSpaceFile& file)
    : name_(file.name),
      version_(file.version),
      family_(Family::kTabular),
      canonical_yaml_(core::write_config(file)) {
  for (const detail::TabularTableFile& table : file.tables) tables_.push_back(table.config);
  if (file.graph) {
    cell_graph_ = CellGraph{.edges = {}, .cut = file.graph->cut, .pass = file.graph->pass};
    for (const detail::CategoryFile& gene : file.genes)
      cell_graph_->edges.push_back({.from = gene.edge[0], .to = gene.edge[1]});
  }
  for (const detail::CategoryFile& gene : file.genes) {
    std::vector<double> choices(gene.choices.size());
    std::iota(choices.begin(), choices.end(), 0.0);
    genes_.push_back({.axis = Axis::kCategory,
                      .choices = std::move(choices),
                      .active_if = std::nullopt,
                      .name = gene.name,
                      .labels = gene.choices});
  }
  build_genes();
}

void SearchSpace::build_genes() {
  resolution_gene_ = add_gene({Axis::kResolution, -1, -1, to_reals(resolutions_), std::nullopt});
  if (family_ == Family::kBottleneck) add_stem_genes();
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    add_stage_genes(static_cast<int>(stage));
  }
  fingerprint_ = core::stable_hash(fingerprint_text(canonical_yaml_, genes_));
}

int SearchSpace::add_gene(Gene gene) {
  if (gene.choices.size() < 2) return -1;
  genes_.push_back(std::move(gene));
  return static_cast<int>(genes_.size()) - 1;
}

void SearchSpace::add_stem_genes() {
  stem_genes_.depth =
      add_gene({Axis::kDepth, kStemStage, -1, to_reals(stem_depths_), std::nullopt});
  for (std::size_t part = 0; part < stem_genes_.width_mult.size(); ++part) {
    stem_genes_.width_mult[part] = add_gene(
        {Axis::kWidthMult, kStemStage, static_cast<int>(part), width_mults_, std::nullopt});
  }
}

void SearchSpace::add_stage_genes(int stage) {
  const StageConfig& config = stages_[static_cast<std::size_t>(stage)];
  StageGenes& index = stage_genes_.emplace_back();
  index.depth = add_gene({Axis::kDepth, stage, -1, to_reals(config.depths), std::nullopt});
  if (family_ == Family::kBottleneck) {
    index.width_mult = add_gene({Axis::kWidthMult, stage, -1, width_mults_, std::nullopt});
  }
  for (int block = 0; block < config.max_depth(); ++block) {
    std::optional<ActiveIf> active_if;
    if (block >= config.depths.front()) {
      const auto first_deeper = std::upper_bound(config.depths.begin(), config.depths.end(), block);
      active_if = ActiveIf{index.depth, static_cast<int>(first_deeper - config.depths.begin())};
    }
    index.kernel_size.push_back(
        add_gene({Axis::kKernelSize, stage, block, to_reals(config.kernel_sizes), active_if}));
    index.expand_ratio.push_back(
        add_gene({Axis::kExpandRatio, stage, block, config.expand_ratios, active_if}));
  }
}

std::optional<int> SearchSpace::find_gene(Axis axis, int stage, int block) const {
  const auto found = [](int gene) { return gene < 0 ? std::nullopt : std::optional<int>(gene); };
  if (axis == Axis::kResolution) {
    return stage == -1 && block == -1 ? found(resolution_gene_) : std::nullopt;
  }
  if (stage == kStemStage) {
    if (axis == Axis::kDepth) return block == -1 ? found(stem_genes_.depth) : std::nullopt;
    const bool width = axis == Axis::kWidthMult && (block == 0 || block == 1);
    return width ? found(stem_genes_.width_mult[static_cast<std::size_t>(block)]) : std::nullopt;
  }
  if (stage < 0 || static_cast<std::size_t>(stage) >= stage_genes_.size()) return std::nullopt;
  const StageGenes& genes = stage_genes_[static_cast<std::size_t>(stage)];
  if (axis == Axis::kDepth) return block == -1 ? found(genes.depth) : std::nullopt;
  if (axis == Axis::kWidthMult) return block == -1 ? found(genes.width_mult) : std::nullopt;
  if (axis != Axis::kKernelSize && axis != Axis::kExpandRatio) return std::nullopt;
  const auto& blocks = axis == Axis::kKernelSize ? genes.kernel_size : genes.expand_ratio;
  if (block < 0 || static_cast<std::size_t>(block) >= blocks.size()) return std::nullopt;
  return found(blocks[static_cast<std::size_t>(block)]);
}

}  // namespace omnifit::space
