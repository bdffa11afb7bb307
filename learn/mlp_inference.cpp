#include "learn/mlp_inference.hpp"

#include "core/error.hpp"
#include "core/threads.hpp"
#include "learn/detail/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace omnifit::learn {
namespace {

// One register tile is kTileRows rows times up to kPanelVectors vectors of outputs: enough sums to
// hide how long a multiply-add takes, and few rows, because an input is skipped where no row has
// it.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kPanelVectors = 5;
#elif defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kPanelVectors = 2;
#else
constexpr int kLanes = 4;
constexpr int kPanelVectors = 2;
#endif
constexpr int kTileRows = 4;
// Enough tiles to pay for the way of the weights from the shared cache, few enough that the
// activations of a block stay in a core's own and a batch of some hundred rows keeps two cores
// busy.
constexpr int kBlockTiles = 8;
constexpr Eigen::Index kMaxWidth = 65'536;
constexpr std::uint32_t kVersion = 1;  // of the saved layers

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof(Vector));
  return value;
}

void store(float* to, Vector value) { std::memcpy(to, &value, sizeof(Vector)); }

template <bool Relu>
Vector activate(Vector value) {
  if constexpr (Relu) return value > Vector{} ? value : Vector{};
  return value;
}

int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Inputs that are not zero in some row of a tile. After a ReLU many are zero, in archs that are
/// alike the same ones.
struct ActiveInputs {
  std::vector<std::uint16_t> inputs;
  int count = 0;

  /// @pre no value is negative, and rows are padded with zeros to whole vectors
  void find(const float* in, int stride, int width) {
    const int padded = round_up(width, kLanes);
    inputs.resize(static_cast<std::size_t>(padded));
    count = 0;
    for (int k = 0; k < padded; k += kLanes) {
      Vector sum = load(in + k);
      for (int r = 1; r < kTileRows; ++r) sum += load(in + std::ptrdiff_t{r} * stride + k);
      std::array<float, kLanes> any{};
      store(any.data(), sum);
      for (int lane = 0; lane < kLanes; ++lane) {
        inputs[static_cast<std::size_t>(count)] = static_cast<std::uint16_t>(k + lane);
        count += any[static_cast<std::size_t>(lane)] != 0.0F ? 1 : 0;
      }
    }
  }
};

/// Where a tile is read and written.
struct Tile {
  const float* in;
  int in_stride;
  float* out;
  int out_stride;
};

/// A tile times one panel of Vectors × kLanes outputs. An input that is skipped would add zeros,
/// which change nothing: the sums are the same bits in any company of rows.
template <int Vectors, bool Relu>
void multiply_tile(const Tile& tile, const ActiveInputs& active, const float* panel,
                   const float* bias) {
  Vector sums[kTileRows][Vectors];
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 5
    for (int v = 0; v < Vectors; ++v) sums[r][v] = load(bias + std::ptrdiff_t{v} * kLanes);
  }
  for (int i = 0; i < active.count; ++i) {
    const int k = active.inputs[static_cast<std::size_t>(i)];
    const float* weights = panel + std::ptrdiff_t{k} * Vectors * kLanes;
#pragma GCC unroll 5
    for (int v = 0; v < Vectors; ++v) {
      const Vector weight = load(weights + std::ptrdiff_t{v} * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) sums[r][v] += tile.in[r * tile.in_stride + k] * weight;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 5
    for (int v = 0; v < Vectors; ++v) {
      store(tile.out + std::ptrdiff_t{r} * tile.out_stride + std::ptrdiff_t{v} * kLanes,
            activate<Relu>(sums[r][v]));
    }
  }
}

/// multiply_tile for a number of vectors that is known at run time only.
template <bool Relu, int Vectors = kPanelVectors>
void multiply_panel(int vectors, const Tile& tile, const ActiveInputs& active, const float* panel,
                    const float* bias) {
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) {
      multiply_panel<Relu, Vectors - 1>(vectors, tile, active, panel, bias);
      return;
    }
  }
  multiply_tile<Vectors, Relu>(tile, active, panel, bias);
}

/// Vectors of the panel that starts at vector `first` of `vectors`: as even as possible.
int panel_vectors(int first, int vectors) {
  const int left = vectors - first;
  const int panels = (left + kPanelVectors - 1) / kPanelVectors;
  return (left + panels - 1) / panels;
}

template <bool Relu>
void multiply(const float* in, int in_stride, int rows, int inputs, const float* panels,
              const float* bias, float* out, int outputs) {
  std::vector<ActiveInputs> active(static_cast<std::size_t>(rows / kTileRows));
  for (std::size_t t = 0; t < active.size(); ++t) {
    active[t].find(in + static_cast<std::ptrdiff_t>(t) * kTileRows * in_stride, in_stride, inputs);
  }
  const int vectors = outputs / kLanes;
  for (int first = 0; first < vectors;) {
    const int width = panel_vectors(first, vectors);
    const std::ptrdiff_t column = std::ptrdiff_t{first} * kLanes;
    for (std::size_t t = 0; t < active.size(); ++t) {
      const auto row = static_cast<std::ptrdiff_t>(t) * kTileRows;
      const Tile tile{in + row * in_stride, in_stride, out + row * outputs + column, outputs};
      multiply_panel<Relu>(width, tile, active[t], panels + column * inputs, bias + column);
    }
    first += width;
  }
}

/// bias + the rows of `weight` that `columns` name, for Vectors × kLanes outputs.
template <int Vectors>
void add_rows(std::span<const std::uint16_t> columns, const float* weight, int stride,
              const float* bias, float* out, bool relu) {
  Vector sums[Vectors];
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) sums[v] = load(bias + std::ptrdiff_t{v} * kLanes);
  for (const std::uint16_t column : columns) {
    const float* row = weight + static_cast<std::ptrdiff_t>(column) * stride;
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sums[v] += load(row + std::ptrdiff_t{v} * kLanes);
  }
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    store(out + std::ptrdiff_t{v} * kLanes, relu ? activate<true>(sums[v]) : sums[v]);
  }
}

void check_layers(std::span<const DenseLayer> layers) {
  if (layers.empty()) throw std::invalid_argument("a network needs at least one layer");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Eigen::MatrixXf& weight = layers[i].weight;
    if (weight.size() == 0 || weight.rows() > kMaxWidth || weight.cols() > kMaxWidth) {
      throw std::invalid_argument(
          fmt::format("layer {} has {} outputs and {} inputs; allowed: 1 "
                      "to {}",
                      i, weight.rows(), weight.cols(), kMaxWidth));
    }
    if (layers[i].bias.size() != weight.rows()) {
      throw std::invalid_argument(fmt::format("layer {} has {} outputs but a bias of {}", i,
                                              weight.rows(), layers[i].bias.size()));
    }
    if (i > 0 && layers[i - 1].weight.rows() != weight.cols()) {
      throw std::invalid_argument(fmt::format("layer {} takes {} inputs but layer {} gives {}", i,
                                              weight.cols(), i - 1, layers[i - 1].weight.rows()));
    }
    if (!weight.allFinite() || !layers[i].bias.allFinite()) {
      throw std::invalid_argument(fmt::format("layer {} has a weight that is not finite", i));
    }
  }
}

}  // namespace

std::vector<std::byte> save_layers(std::span<const DenseLayer> layers) {
  detail::ByteWriter out("mlp", kVersion);
  out.integer(layers.size());
  for (const DenseLayer& layer : layers) {
    out.float_matrix(layer.weight);
    out.float_matrix(layer.bias);
  }
  return out.take();
}

std::vector<DenseLayer> restore_layers(std::span<const std::byte> bytes) {
  detail::ByteReader in(bytes, "mlp", kVersion);
  std::vector<DenseLayer> layers;
  // Every layer takes bytes, so a wrong count runs out of them before it costs memory.
  for (std::uint64_t left = in.integer(); left > 0; --left) {
    DenseLayer layer;
    layer.weight = in.float_matrix();
    const Eigen::MatrixXf bias = in.float_matrix();
    if (bias.cols() != 1) in.fail("a bias is not one column");
    layer.bias = bias;
    layers.push_back(std::move(layer));
  }
  if (layers.empty()) in.fail("it has no layer");
  in.finish();
  return layers;
}

void OneHotBatch::clear() {
  columns_.clear();
  ends_.clear();
}

void OneHotBatch::add_row(std::span<const std::uint16_t> columns) {
  columns_.insert(columns_.end(), columns.begin(), columns.end());
  ends_.push_back(columns_.size());
}

std::span<const std::uint16_t> OneHotBatch::row(int row) const {
  const auto index = static_cast<std::size_t>(row);
  const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::span(columns_).subspan(begin, ends_[index] - begin);
}

const int MlpInference::kBlockRows = kTileRows * kBlockTiles;

MlpInference::MlpInference(std::span<const DenseLayer> layers) {
  check_layers(layers);
  num_inputs_ = static_cast<int>(layers.front().weight.cols());
  num_outputs_ = static_cast<int>(layers.back().weight.rows());
  pack_first(layers.front());
  for (const DenseLayer& layer : layers.subspan(1)) {
    layers_.push_back(pack(layer));
    dense_macs_ += layer.weight.size();
    widest_ = std::max(widest_, layers_.back().outputs);
  }
}

void MlpInference::pack_first(const DenseLayer& layer) {
  const auto outputs = static_cast<int>(layer.weight.rows());
  first_outputs_ = round_up(outputs, kLanes);
  widest_ = first_outputs_;
  const auto stride = static_cast<std::size_t>(first_outputs_);
  first_weight_.assign(static_cast<std::size_t>(num_inputs_) * stride, 0.0F);
  for (int k = 0; k < num_inputs_; ++k) {
    for (int j = 0; j < outputs; ++j) {
      first_weight_[static_cast<std::size_t>(k) * stride + static_cast<std::size_t>(j)] =
          layer.weight(j, k);
    }
  }
  first_bias_.assign(stride, 0.0F);
  std::ranges::copy(layer.bias, first_bias_.begin());
}

MlpInference::PackedLayer MlpInference::pack(const DenseLayer& layer) {
  PackedLayer packed;
  packed.inputs = static_cast<int>(layer.weight.cols());
  const auto outputs = static_cast<int>(layer.weight.rows());
  packed.outputs = round_up(outputs, kLanes);
  const auto padded = static_cast<std::size_t>(packed.outputs);
  packed.bias.assign(padded, 0.0F);
  std::ranges::copy(layer.bias, packed.bias.begin());
  packed.panels.reserve(padded * static_cast<std::size_t>(packed.inputs));
  for (int column = 0; column < packed.outputs;) {
    const int width = kLanes * panel_vectors(column / kLanes, packed.outputs / kLanes);
    for (int k = 0; k < packed.inputs; ++k) {
      for (int j = column; j < column + width; ++j) {
        packed.panels.push_back(j < outputs ? layer.weight(j, k) : 0.0F);
      }
    }
    column += width;
  }
  return packed;
}

void MlpInference::run(const OneHotBatch& batch, std::span<float> out, int threads) const {
  if (out.size() !=
      static_cast<std::size_t>(batch.size()) * static_cast<std::size_t>(num_outputs_)) {
    throw std::invalid_argument(fmt::format("{} rows of {} outputs do not fit {} places",
                                            batch.size(), num_outputs_, out.size()));
  }
  for (int row = 0; row < batch.size(); ++row) {
    for (const std::uint16_t column : batch.row(row)) {
      if (static_cast<int>(column) < num_inputs_) continue;
      throw std::invalid_argument(fmt::format("row {} names column {}; the network has {} inputs",
                                              row, column, num_inputs_));
    }
  }
  const int blocks = (batch.size() + kBlockRows - 1) / kBlockRows;
  core::parallel_for(blocks, threads, [&](std::int64_t block) {
    run_block(batch, static_cast<int>(block) * kBlockRows, out);
  });
}

void MlpInference::run_block(const OneHotBatch& batch, int first_row, std::span<float> out) const {
  const int rows = std::min(kBlockRows, batch.size() - first_row);
  const int padded_rows = round_up(rows, kTileRows);
  // Eigen's matrices come aligned and not filled; every value is written before it is read.
  Eigen::MatrixXf from(widest_, padded_rows);
  Eigen::MatrixXf to(widest_, padded_rows);
  run_first(batch, first_row, padded_rows, from.data(), !layers_.empty());
  int width = first_outputs_;
  for (const PackedLayer& layer : layers_) {
    const auto run_layer = &layer == &layers_.back() ? multiply<false> : multiply<true>;
    run_layer(from.data(), width, padded_rows, layer.inputs, layer.panels.data(), layer.bias.data(),
              to.data(), layer.outputs);
    width = layer.outputs;
    std::swap(from, to);
  }
  for (int row = 0; row < rows; ++row) {
    const float* values = from.data() + static_cast<std::ptrdiff_t>(row) * width;
    std::copy_n(values, num_outputs_,
                out.begin() + static_cast<std::ptrdiff_t>(first_row + row) * num_outputs_);
  }
}

void MlpInference::run_first(const OneHotBatch& batch, int first_row, int rows, float* out,
                             bool relu) const {
  constexpr int kWide = 8;
  for (int row = 0; row < rows; ++row) {
    const int index = first_row + row;
    const auto columns = index < batch.size() ? batch.row(index) : std::span<const std::uint16_t>();
    float* to = out + static_cast<std::ptrdiff_t>(row) * first_outputs_;
    int column = 0;
    for (; column + kWide * kLanes <= first_outputs_; column += kWide * kLanes) {
      add_rows<kWide>(columns, first_weight_.data() + column, first_outputs_,
                      first_bias_.data() + column, to + column, relu);
    }
    for (; column < first_outputs_; column += kLanes) {
      add_rows<1>(columns, first_weight_.data() + column, first_outputs_,
                  first_bias_.data() + column, to + column, relu);
    }
  }
}

}  // namespace omnifit::learn
