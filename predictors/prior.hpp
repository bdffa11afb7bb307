#pragma once

#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace omnifit::predictors {

/// What another predictor says of the archs of a space: one of a sibling supernet (another width,
/// other images) or of other resolutions. A fit corrects it with few samples (AccuracyPredictor).
///
/// Its archs are those of the sibling's space that are nearest: every gene takes the choice with
/// the nearest value, of two equally near the smaller. Only the order it gives and its rough scale
/// matter. Immutable and thread-safe.
class Prior {
 public:
  /// Reads a predictor that the reference released (ReferencePredictor), or the newest predictor of
  /// a project file, whose space must have the family and the number of stages of `space`.
  /// @throws DataError "PATH: …", one line: neither of the two, damaged, no predictor in the
  /// project, one that corrects another predictor itself, a space that is no sibling;
  /// EnvironmentError.
  static Prior load(const std::filesystem::path& file, const space::SearchSpace& space);
  /// Inverse of serialise. @throws DataError as load.
  static Prior restore(std::span<const std::byte> bytes, const space::SearchSpace& space);
  /// Everything restore needs; the project file keeps it with the predictor.
  [[nodiscard]] std::vector<std::byte> serialise() const;

  /// Top-1 as the sibling has it, a fraction; the same bits for any batch.
  /// @throws std::invalid_argument if an arch is of another space.
  [[nodiscard]] Eigen::VectorXd predict(std::span<const space::Arch> archs) const;

  /// Name and SHA-256 of the file it was read from; of a project file the hash of the predictor.
  [[nodiscard]] const std::string& source() const;
  [[nodiscard]] const std::string& source_sha256() const;
  /// Stable hash of its bytes; part of the layout of a predictor that corrects it.
  [[nodiscard]] std::uint64_t hash() const;

 private:
  struct Model;
  explicit Prior(std::shared_ptr<const Model> model);
  std::shared_ptr<const Model> model_;
};

}  // namespace omnifit::predictors
