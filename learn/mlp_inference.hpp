#pragma once

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace omnifit::learn {

/// One fully connected layer: y = weight · x + bias.
struct DenseLayer {
  Eigen::MatrixXf weight;  ///< [outputs, inputs]
  Eigen::VectorXf bias;    ///< [outputs]
};

/// Layers as bytes with a version, weights as float32.
std::vector<std::byte> save_layers(std::span<const DenseLayer> layers);
/// Inverse of save_layers. @throws DataError if the bytes are damaged or of another version.
std::vector<DenseLayer> restore_layers(std::span<const std::byte> bytes);

/// Rows of zeros and ones, given by the columns that are one.
class OneHotBatch {
 public:
  void clear();
  /// Appends a row; a column that is named twice counts twice.
  void add_row(std::span<const std::uint16_t> columns);
  [[nodiscard]] int size() const { return static_cast<int>(ends_.size()); }
  /// The columns that are one. @pre 0 <= row < size()
  [[nodiscard]] std::span<const std::uint16_t> row(int row) const;

 private:
  std::vector<std::uint16_t> columns_;
  std::vector<std::size_t> ends_;  ///< per row, into columns_
};

/// Runs a multilayer perceptron (ReLU after every layer but the last) in float32 on inputs of zeros
/// and ones, many rows at a time.
///
/// The first layer adds up the weights of the columns that are one; the others are matrix products
/// over tiles of a fixed number of rows, the last tile padded. Every output is the same chain of
/// multiply-adds wherever its row stands, so results are bit-identical for any batch size and any
/// number of threads (not across builds for different machines). Immutable and thread-safe.
class MlpInference {
 public:
  /// Rows that one thread works on at a time; batches of a multiple of it waste nothing.
  static const int kBlockRows;

  /// @throws std::invalid_argument if there is no layer, a layer is empty, its bias or the next
  /// layer's inputs do not fit, it has more than 65,536 inputs or outputs, or a weight is not
  /// finite.
  explicit MlpInference(std::span<const DenseLayer> layers);

  [[nodiscard]] int num_inputs() const { return num_inputs_; }
  [[nodiscard]] int num_outputs() const { return num_outputs_; }
  /// Multiply-adds that one row costs behind the first layer, without padding.
  [[nodiscard]] std::int64_t dense_macs() const { return dense_macs_; }

  /// Writes rows × num_outputs() values, row by row.
  /// @throws std::invalid_argument if `out` has another size or a column is not below num_inputs().
  void run(const OneHotBatch& batch, std::span<float> out, int threads = 1) const;

 private:
  using Floats = std::vector<float, Eigen::aligned_allocator<float>>;

  /// A layer behind the first: panels of outputs, in each the weights input by input.
  struct PackedLayer {
    int inputs = 0;
    int outputs = 0;  ///< padded
    Floats panels;
    Floats bias;
  };

  void pack_first(const DenseLayer& layer);
  [[nodiscard]] static PackedLayer pack(const DenseLayer& layer);
  void run_block(const OneHotBatch& batch, int first_row, std::span<float> out) const;
  void run_first(const OneHotBatch& batch, int first_row, int rows, float* out, bool relu) const;

  int num_inputs_ = 0;
  int num_outputs_ = 0;
  int widest_ = 0;  ///< of all layers' padded outputs
  std::int64_t dense_macs_ = 0;
  int first_outputs_ = 0;  ///< padded
  Floats first_weight_;    ///< [num_inputs, first_outputs]
  Floats first_bias_;
  std::vector<PackedLayer> layers_;
};

}  // namespace omnifit::learn
