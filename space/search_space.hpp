#pragma once

#include "core/node.hpp"
#include "space/plan.hpp"
#include "space/tabular_config.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::space {

namespace detail {
struct BottleneckFile;
struct SpaceFile;
struct TabularSpaceFile;
}  // namespace detail

/// Kinds of networks a space can describe.
enum class Family {
  kMbConv,      ///< inverted residuals: MobileNetV3, ProxylessNAS
  kBottleneck,  ///< residual bottlenecks: ResNet-D
  kTabular      ///< no networks but figures of each: published benchmarks
};

/// "mbconv", "bottleneck", "tabular".
const std::string& family_name(Family family);

/// One kind of elastic dimension. Append only: the order is part of the fingerprint.
enum class Axis { kResolution, kDepth, kKernelSize, kExpandRatio, kWidthMult, kCategory };

/// Stands for the stem where a position names a stage.
inline constexpr int kStemStage = -2;

/// "resolution", "depth", "kernel_size", "expand_ratio", "width_mult", "category".
const std::string& axis_name(Axis axis);

/// Gene is active only if gene `gene` has at least choice index `min_choice`.
struct ActiveIf {
  int gene = 0;
  int min_choice = 0;
  friend bool operator==(const ActiveIf&, const ActiveIf&) = default;
};

/// One axis at one position. Axes with a single choice are facts of the space, not genes.
struct Gene {
  Axis axis = Axis::kResolution;
  int stage = -1;               ///< -1: of the whole network; kStemStage: of the stem
  int block = -1;               ///< -1: of the whole stage; in the stem its layer
  std::vector<double> choices;  ///< ascending, distinct, at least two; of a category 0, 1, 2, …
  std::optional<ActiveIf> active_if;
  std::string name{};                 ///< of a category; others are named by axis and position
  std::vector<std::string> labels{};  ///< of a category: what each choice is called
};

/// What a choice is called in tables and column names: a category's label, else the number.
std::string choice_text(const Gene& gene, int choice);

/// "resolution", "depth[2]", "kernel_size[2.0]", "width_mult[stem.0]": axis, stage and block,
/// counted from 0; a category's own name.
std::string gene_name(const Gene& gene);

struct BatchNormConfig {
  double momentum = 0.1;  ///< weight of the newest batch in running statistics
  double eps = 1e-5;
};

/// A convolution of the stem or head; of a bottleneck space's stem its last layer.
struct ConvConfig {
  std::string name;  ///< of its tensors in the state dict: "first_conv", "final_expand_layer",
                     ///< "feature_mix_layer"
  int width = 16;    ///< output channels before the width multiplier
  int kernel_size = 1;
  int stride = 1;
  Act act = Act::kHSwish;
  bool batch_norm = true;
  bool after_pool = false;  ///< head only: runs on the pooled 1×1 features
};

/// Blocks of one output width. The first block carries the stride (and, in a bottleneck space, the
/// downsampling).
struct StageConfig {
  int width = 16;  ///< output channels before the width multiplier
  int stride = 1;
  Act act = Act::kRelu;
  bool squeeze_excite = false;
  bool first_shortcut =
      true;  ///< whether a first block of stride 1 and equal widths has its shortcut
  std::vector<int> depths{1};  ///< choices, ascending
  std::vector<int> kernel_sizes{3};
  /// Middle width over input width; of a bottleneck over output width.
  std::vector<double> expand_ratios{1.0};
  int base_depth = 0;  ///< bottleneck: blocks that "d" of the JSON form does not count

  [[nodiscard]] int max_depth() const { return depths.back(); }
};

/// A search space, read from configs/space/*.yaml. Immutable after loading; everything (sampling,
/// counting, encoding, mutation, text form, latency keys, tensor shapes) derives from it.
/// Thread-safe.
class SearchSpace {
 public:
  /// @throws ConfigError with file:line:col (unknown keys, empty, unsorted or repeated choices,
  /// even kernels, resolution too small for the strides …).
  static SearchSpace from_yaml(const core::Node& root);
  static SearchSpace load(const std::filesystem::path& file);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int version() const { return version_; }
  [[nodiscard]] Family family_kind() const { return family_; }
  [[nodiscard]] const std::string& family() const { return family_name(family_); }
  /// Stable hash of the canonical form; two files that mean the same space have the same one.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }
  /// The canonical form itself (YAML), stored in the project file.
  [[nodiscard]] const std::string& canonical_yaml() const { return canonical_yaml_; }

  [[nodiscard]] const std::vector<Gene>& genes() const { return genes_; }
  /// Index of the gene of that axis and position, or nullopt where the space has a single choice.
  [[nodiscard]] std::optional<int> find_gene(Axis axis, int stage = -1, int block = -1) const;

  [[nodiscard]] const std::vector<int>& resolutions() const { return resolutions_; }
  /// Choices of the factor on every width, ascending. Of an mbconv space one; a bottleneck space
  /// chooses one for the inner stem, one for the stem's output and one per stage.
  [[nodiscard]] const std::vector<double>& width_mults() const { return width_mults_; }
  /// The largest of them.
  [[nodiscard]] double width_mult() const { return width_mults_.back(); }
  [[nodiscard]] const BatchNormConfig& batch_norm() const { return batch_norm_; }
  [[nodiscard]] double dropout_prob() const { return dropout_prob_; }
  [[nodiscard]] const ConvConfig& stem() const { return stem_; }
  /// Bottleneck spaces: choices of how many residual layers stand in the middle of the stem (0, 1).
  [[nodiscard]] const std::vector<int>& stem_depths() const { return stem_depths_; }
  [[nodiscard]] const std::vector<StageConfig>& stages() const { return stages_; }
  [[nodiscard]] const std::vector<ConvConfig>& head() const { return head_; }
  /// Tabular spaces: the files with the figures; see space/tabular.hpp. They have no resolutions,
  /// stages and layers.
  [[nodiscard]] const std::vector<TabularFile>& tables() const { return tables_; }
  /// Tabular spaces whose genes are edges of a graph; see space/cell_graph.hpp.
  [[nodiscard]] const std::optional<CellGraph>& cell_graph() const { return cell_graph_; }

 private:
  /// Positions of a stage's genes in the gene table; -1 where the space has a single choice.
  struct StageGenes {
    int depth = -1;
    int width_mult = -1;
    std::vector<int> kernel_size;   ///< per block
    std::vector<int> expand_ratio;  ///< per block
  };

  /// Genes of a bottleneck space's stem.
  struct StemGenes {
    int depth = -1;
    std::array<int, 2> width_mult{-1, -1};  ///< of the inner layers, of the last one
  };

  explicit SearchSpace(const detail::SpaceFile& file);
  explicit SearchSpace(const detail::BottleneckFile& file);
  explicit SearchSpace(const detail::TabularSpaceFile& file);
  static SearchSpace read_family(const core::Node& root);
  void build_genes();
  int add_gene(Gene gene);
  void add_stem_genes();
  void add_stage_genes(int stage);

  std::string name_;
  int version_ = 1;
  Family family_ = Family::kMbConv;
  std::uint64_t fingerprint_ = 0;
  std::string canonical_yaml_;
  std::vector<Gene> genes_;
  int resolution_gene_ = -1;
  StemGenes stem_genes_;
  std::vector<StageGenes> stage_genes_;
  std::vector<int> resolutions_;
  std::vector<double> width_mults_{1.0};
  BatchNormConfig batch_norm_;
  double dropout_prob_ = 0.0;
  ConvConfig stem_;
  std::vector<int> stem_depths_{0};
  std::vector<StageConfig> stages_;
  std::vector<ConvConfig> head_;
  std::vector<TabularFile> tables_;
  std::optional<CellGraph> cell_graph_;
};

/// n = max(8, 8 * floor((v + 4) / 8)), plus 8 if that is below 0.9 v: the reference's channel
/// rounding.
int make_divisible(double value, int divisor = 8);

/// Width of the squeeze-excite bottleneck on that many channels: a whole quarter, rounded like
/// every width.
int squeeze_channels(int channels);

}  // namespace omnifit::space
