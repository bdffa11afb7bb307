#include "predictors/reference_predictor.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/threads.hpp"
#include "formats/folded_network.hpp"
#include "formats/reference_names.hpp"
#include "formats/torch_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>

namespace omnifit::predictors {
namespace {

constexpr std::string_view kBaseAccuracy = "base_acc";
constexpr std::string_view kWeight = ".weight";
/// More than anybody trains; keeps the list of what a damaged file lacks short.
constexpr int kMaxLayers = 32;

/// How a generation spells its layers.
struct LayerName {
  std::string prefix;  ///< of ".weight" and ".bias"
  bool bias = true;
};

/// The number in "PREFIX<number>SUFFIX".
std::optional<int> number_between(std::string_view text, std::string_view prefix,
                                  std::string_view suffix) {
  if (!text.starts_with(prefix) || !text.ends_with(suffix)) return std::nullopt;
  if (text.size() < prefix.size() + suffix.size()) return std::nullopt;
  text.remove_prefix(prefix.size());
  text.remove_suffix(suffix.size());
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 ? std::optional(value) : std::nullopt;
}

/// Largest index of a layer "PREFIX<index>SUFFIX" below `limit`; nullopt if there is none.
std::optional<int> last_index(const formats::TensorFile& file, std::string_view prefix,
                              std::string_view suffix, int limit) {
  std::optional<int> last;
  for (const formats::NamedTensor& tensor : file.tensors) {
    const auto index = number_between(tensor.name, prefix, suffix);
    if (index && *index < limit) last = std::max(last.value_or(0), *index);
  }
  return last;
}

/// Layers "0", "2", "4", …: the odd places are the activations.
std::vector<LayerName> tutorial_layers(const formats::TensorFile& file) {
  std::vector<LayerName> names;
  const int last = last_index(file, "", kWeight, 2 * kMaxLayers).value_or(-1);
  for (int i = 0; i <= last; i += 2) names.push_back({std::to_string(i), true});
  return names;
}

/// Hidden layers "layers.0.0", "layers.1.0", …, then "layers.N" without a bias.
std::vector<LayerName> later_layers(const formats::TensorFile& file) {
  std::vector<LayerName> names;
  const int last = last_index(file, "layers.", ".0.weight", kMaxLayers).value_or(-1);
  for (int i = 0; i <= last; ++i) names.push_back({fmt::format("layers.{}.0", i), true});
  names.push_back({fmt::format("layers.{}", last + 1), false});
  return names;
}

/// Names and shapes of a chain of layers with the widths that the file's own weights have.
std::vector<formats::TensorShape> wanted_tensors(const formats::TensorFile& file,
                                                 const std::vector<LayerName>& names) {
  std::vector<formats::TensorShape> wanted;
  std::int64_t inputs = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string weight_name = names[i].prefix + std::string(kWeight);
    const formats::NamedTensor* weight = file.find(weight_name);
    const bool is_matrix = weight != nullptr && weight->shape.size() == 2;
    if (i == 0) inputs = is_matrix ? weight->shape[1] : 1;
    const std::int64_t width = is_matrix ? weight->shape[0] : inputs;
    const std::int64_t outputs = i + 1 == names.size() ? 1 : width;
    wanted.push_back({weight_name, {outputs, inputs}});
    if (names[i].bias) wanted.push_back({names[i].prefix + ".bias", {outputs}});
    inputs = outputs;
  }
  return wanted;
}

learn::DenseLayer to_layer(const formats::NamedTensor& weight, const formats::NamedTensor* bias) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Index outputs = weight.shape[0];
  learn::DenseLayer layer;
  layer.weight = Eigen::Map<const RowMajor>(weight.floats().data(), outputs, weight.shape[1]);
  layer.bias = Eigen::VectorXf::Zero(outputs);
  if (bias != nullptr) {
    layer.bias = Eigen::Map<const Eigen::VectorXf>(bias->floats().data(), outputs);
  }
  return layer;
}

template <class T>
void check_choices(const std::vector<T>& found, const std::vector<T>& expected,
                   std::string_view what, const std::string& place, const std::string& where) {
  if (found == expected) return;
  throw DataError(fmt::format("{}: this predictor needs the {} {}; {} has {}", where, what,
                              fmt::join(expected, ", "), place, fmt::join(found, ", ")));
}

/// The columns of a released predictor mean certain choices, not only a number of them.
void check_space(const space::SearchSpace& space, const std::string& where) {
  const bool bottleneck = space.family_kind() == space::Family::kBottleneck;
  const std::string name = "'" + space.name() + "'";
  if (bottleneck) {
    check_choices(space.width_mults(), {0.65, 0.8, 1.0}, "width multipliers", "space " + name,
                  where);
  }
  const std::vector<double> ratios =
      bottleneck ? std::vector<double>{0.2, 0.25, 0.35} : std::vector<double>{3.0, 4.0, 6.0};
  for (std::size_t stage = 0; stage < space.stages().size(); ++stage) {
    const auto is_here = [stage](const space::Gene& gene) {
      return gene.stage == static_cast<int>(stage);
    };
    if (std::ranges::none_of(space.genes(), is_here)) continue;
    const std::string place = fmt::format("stage {} of space {}", stage, name);
    check_choices(space.stages()[stage].expand_ratios, ratios, "expand ratios", place, where);
    if (!bottleneck) {
      check_choices(space.stages()[stage].kernel_sizes, {3, 5, 7}, "kernel sizes", place, where);
    }
  }
}

}  // namespace

struct ReferencePredictor::Model {
  Content content;
  space::ReferenceEncoding encoding;
  std::uint64_t space_fingerprint;
  space::ReferenceEncoder encoder;
  learn::MlpInference network;
};

ReferencePredictor ReferencePredictor::load(const std::filesystem::path& file,
                                            const space::SearchSpace& space,
                                            Resolutions resolutions) {
  const std::string where = core::path_text(file);
  return {read(file, where), space, resolutions, where};
}

ReferencePredictor ReferencePredictor::from_layers(std::vector<learn::DenseLayer> layers,
                                                   const space::SearchSpace& space,
                                                   Resolutions resolutions) {
  return {{Generation::kTutorial, std::move(layers)}, space, resolutions, "layers"};
}

ReferencePredictor::Content ReferencePredictor::read(const std::filesystem::path& file,
                                                     const std::string& where) {
  const formats::TensorFile state = formats::read_torch_file(file);
  const bool tutorial = state.find("0.weight") != nullptr;
  const bool later = state.find("layers.0.0.weight") != nullptr;
  if (tutorial == later) {
    throw DataError(where + (later ? ": two accuracy predictors in one file"
                                   : ": not an accuracy predictor of the reference: neither "
                                     "'0.weight' nor 'layers.0.0.weight' is in it"));
  }
  const std::vector<LayerName> names = tutorial ? tutorial_layers(state) : later_layers(state);
  std::vector<formats::TensorShape> wanted = wanted_tensors(state, names);
  if (later) wanted.push_back({std::string(kBaseAccuracy), {1}});
  const formats::ReferenceState matched = formats::match_reference_state(state, wanted, where);

  Content content{tutorial ? Generation::kTutorial : Generation::kLater, {}};
  std::size_t next = 0;
  for (const LayerName& name : names) {
    const formats::NamedTensor& weight = matched.tensors[next++];
    const formats::NamedTensor* bias = name.bias ? &matched.tensors[next++] : nullptr;
    content.layers.push_back(to_layer(weight, bias));
  }
  // What is added to the output is the missing bias of the last layer.
  if (later) content.layers.back().bias(0) = matched.tensors[next].floats()[0];
  return content;
}

space::ReferenceEncoding ReferencePredictor::encoding(Generation generation, space::Family family) {
  if (generation == Generation::kTutorial) return space::tutorial_encoding();
  if (family == space::Family::kBottleneck) {
    return {.sizes = {128, 144, 160, 176, 192, 224, 240, 256}};
  }
  return {.sizes = {128, 160, 192, 224}};
}

ReferencePredictor::ReferencePredictor(Content content, const space::SearchSpace& space,
                                       Resolutions resolutions, const std::string& where) {
  const space::Family family = space.family_kind();
  const bool tutorial = content.generation == Generation::kTutorial;
  if (family != space::Family::kMbConv && (tutorial || family != space::Family::kBottleneck)) {
    throw DataError(fmt::format("{}: this predictor is for {} spaces; '{}' is of family {}", where,
                                tutorial ? "mbconv" : "mbconv and bottleneck", space.name(),
                                space.family()));
  }
  check_space(space, where);
  const space::ReferenceEncoding layout = encoding(content.generation, family);
  try {
    learn::MlpInference network(content.layers);
    space::ReferenceEncoder encoder(space, layout, resolutions);
    if (network.num_inputs() != encoder.num_columns()) {
      throw std::invalid_argument(fmt::format("takes {} inputs, but archs of space '{}' have {}",
                                              network.num_inputs(), space.name(),
                                              encoder.num_columns()));
    }
    if (network.num_outputs() != 1) {
      throw std::invalid_argument(
          fmt::format("gives {} numbers instead of one accuracy", network.num_outputs()));
    }
    model_ = std::make_shared<const Model>(Model{std::move(content), layout, space.fingerprint(),
                                                 std::move(encoder), std::move(network)});
  } catch (const std::invalid_argument& problem) {
    throw DataError(fmt::format("{}: {}", where, problem.what()));
  }
}

ReferencePredictor ReferencePredictor::restore(std::span<const std::byte> bytes,
                                               const space::SearchSpace& space,
                                               Resolutions resolutions) {
  const std::string where = fmt::format("saved {} model", kKind);
  Content content;
  if (bytes.empty()) throw DataError(where + ": the bytes end too early");
  content.generation = static_cast<Generation>(bytes.front());
  if (content.generation != Generation::kTutorial && content.generation != Generation::kLater) {
    throw DataError(where + ": it is of a newer version");
  }
  content.layers = learn::restore_layers(bytes.subspan(1));
  return {std::move(content), space, resolutions, where};
}

std::vector<std::byte> ReferencePredictor::serialise() const {
  std::vector<std::byte> bytes{static_cast<std::byte>(model_->content.generation)};
  const std::vector<std::byte> layers = learn::save_layers(model_->content.layers);
  bytes.insert(bytes.end(), layers.begin(), layers.end());
  return bytes;
}

void ReferencePredictor::predict(std::span<const space::Arch> archs, std::span<double> top1,
                                 int threads) const {
  if (archs.size() != top1.size()) {
    throw std::invalid_argument(
        fmt::format("{} archs but {} places for their accuracies", archs.size(), top1.size()));
  }
  const auto block_size = static_cast<std::size_t>(learn::MlpInference::kBlockRows);
  const std::size_t blocks = (archs.size() + block_size - 1) / block_size;
  core::parallel_for(static_cast<std::int64_t>(blocks), threads, [&](std::int64_t index) {
    const std::size_t first = static_cast<std::size_t>(index) * block_size;
    const auto part = archs.subspan(first, std::min(block_size, archs.size() - first));
    learn::OneHotBatch batch;
    space::ReferenceEncoder::Columns columns;
    for (const space::Arch& arch : part) batch.add_row(model_->encoder.ones(arch, columns));
    std::vector<float> out(part.size());
    model_->network.run(batch, out);
    std::ranges::copy(out, top1.begin() + static_cast<std::ptrdiff_t>(first));
  });
}

std::vector<double> ReferencePredictor::predict(std::span<const space::Arch> archs,
                                                int threads) const {
  std::vector<double> top1(archs.size());
  predict(archs, top1, threads);
  return top1;
}

std::uint64_t ReferencePredictor::layout_version() const {
  const bool blocks_first = model_->encoding.order == space::ReferenceEncoding::Order::kBlocksFirst;
  return core::stable_hash(fmt::format(
      "{} space={} {} sizes={}", kKind, core::hex64(model_->space_fingerprint),
      blocks_first ? "blocks first" : "resolution first", fmt::join(model_->encoding.sizes, ",")));
}

std::vector<int> ReferencePredictor::widths() const {
  std::vector<int> widths{model_->network.num_inputs()};
  for (const learn::DenseLayer& layer : model_->content.layers) {
    widths.push_back(static_cast<int>(layer.weight.rows()));
  }
  return widths;
}

std::int64_t ReferencePredictor::dense_macs() const { return model_->network.dense_macs(); }

}  // namespace omnifit::predictors
