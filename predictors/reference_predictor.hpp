#pragma once

#include "learn/mlp_inference.hpp"
#include "space/arch.hpp"
#include "space/reference_encoding.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::predictors {

/// An accuracy predictor that the Once-for-All reference trained and released: a ReLU MLP over the
/// one-hot encoding of an arch whose output is top-1 as a fraction. Immutable and thread-safe.
///
/// Both generations are read: the tutorial's (layers "0", "2", … with a bias each, blocks before
/// resolution, 112 to 224 pixels in steps of 16) and the later one (layers "layers.0.0" …, the last
/// without a bias, the mean accuracy "base_acc" added to the output, resolution first). Of the
/// later one the resolutions are not in the file: 128, 160, 192, 224 for inverted residuals, and
/// the released 128, 144, 160, 176, 192, 224, 240, 256 for bottlenecks.
class ReferencePredictor {
 public:
  using Resolutions = space::ReferenceEncoder::Resolutions;
  /// As the project file calls it.
  static constexpr std::string_view kKind = "reference_mlp";

  /// Reads a PyTorch state dict; nothing in the file is run.
  /// @throws DataError "PATH: …", one line: no readable state dict, no such predictor, missing,
  /// extra, misshapen or not finite tensors (all listed), or a space whose archs it cannot take:
  /// another family, other choices, another number of inputs, a resolution without a column.
  static ReferencePredictor load(const std::filesystem::path& file, const space::SearchSpace& space,
                                 Resolutions resolutions = Resolutions::kExact);
  /// A predictor of the tutorial's generation with these layers. @throws DataError as load.
  static ReferencePredictor from_layers(std::vector<learn::DenseLayer> layers,
                                        const space::SearchSpace& space,
                                        Resolutions resolutions = Resolutions::kExact);
  /// Inverse of serialise. @throws DataError as load, and if the bytes are damaged.
  static ReferencePredictor restore(std::span<const std::byte> bytes,
                                    const space::SearchSpace& space,
                                    Resolutions resolutions = Resolutions::kExact);
  [[nodiscard]] std::vector<std::byte> serialise() const;

  /// Top-1 of every arch, a fraction; the same bits for any batch size and number of threads.
  /// @throws std::invalid_argument if an arch is of another space or the sizes differ.
  void predict(std::span<const space::Arch> archs, std::span<double> top1, int threads = 1) const;
  [[nodiscard]] std::vector<double> predict(std::span<const space::Arch> archs,
                                            int threads = 1) const;

  /// Of the columns and the space they are made from.
  [[nodiscard]] std::uint64_t layout_version() const;
  /// Sizes from the inputs to the output, e.g. 128, 400, 400, 400, 1.
  [[nodiscard]] std::vector<int> widths() const;
  /// Multiply-adds per arch behind the first layer, which only adds up rows.
  [[nodiscard]] std::int64_t dense_macs() const;

 private:
  enum class Generation : std::uint8_t { kTutorial = 1, kLater = 2 };
  struct Content {
    Generation generation = Generation::kTutorial;
    std::vector<learn::DenseLayer> layers;
  };
  struct Model;

  ReferencePredictor(Content content, const space::SearchSpace& space, Resolutions resolutions,
                     const std::string& where);
  static Content read(const std::filesystem::path& file, const std::string& where);
  static space::ReferenceEncoding encoding(Generation generation, space::Family family);

  std::shared_ptr<const Model> model_;
};

}  // namespace omnifit::predictors
