#pragma once

#include "space/search_space.hpp"
#include "supernet/supernet.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// A supernet whose weights come from a file: what a training begins with, or what is measured as
/// it is.
struct StartWeights {
  Supernet network;      ///< for the image channels and classes of the data
  std::string where;     ///< the file, for messages
  std::string sha256;    ///< of the file
  int file_classes = 0;  ///< that the file's classifier tells apart
  /// The file's classifier is for another number of classes; the network's is freshly drawn.
  bool new_classifier = false;
  /// Tensors that the file does not have and whose neutral value stands in (see
  /// formats::ReferenceState).
  std::vector<std::string> filled;
};

/// What to do with weights whose classifier is for another number of classes than the data.
enum class OtherClasses {
  kRefuse,
  kNewClassifier,  ///< draw it from `seed` as a new supernet's; it still has to be trained
};

/// Reads a checkpoint (of a training or of an import) or a state dict of the Once-for-All reference
/// (see import_reference_supernet()); which of both is told by the file's first bytes.
/// @throws DataError "FILE: …", one line: missing, truncated, neither of both, of another space,
/// missing, extra or misshapen tensors (all listed), other image channels than the data's, other
/// classes if they are refused.
StartWeights load_start_weights(const std::filesystem::path& file, const space::SearchSpace& space,
                                const space::TaskIo& io, OtherClasses other_classes,
                                std::uint64_t seed);

/// SHA-256 of such a file. @throws DataError "FILE: …" if it cannot be read.
std::string start_weights_sha256(const std::filesystem::path& file);

}  // namespace omnifit::supernet
