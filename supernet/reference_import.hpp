#pragma once

#include "formats/folded_network.hpp"
#include "formats/network_description.hpp"
#include "formats/tensor_file.hpp"
#include "supernet/supernet.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// A supernet made from a state dict of the Once-for-All reference.
struct ImportedSupernet {
  Supernet network;
  std::size_t num_tensors = 0;  ///< of its state
  /// Tensors that the file does not have and whose neutral value stands in (see
  /// formats::ReferenceState).
  std::vector<std::string> filled;
};

/// The supernet of `space` with the weights of `state`, whose names may be of either generation and
/// of a static network at full size too. Image channels and classes are those of its stem and its
/// classifier.
/// @throws DataError "WHERE: …" listing every missing, extra, misshapen and not finite tensor.
ImportedSupernet import_reference_supernet(const formats::TensorFile& state,
                                           const space::SearchSpace& space,
                                           const std::string& where);

/// What a checkpoint was imported from.
struct ImportSource {
  std::string sha256;  ///< of the file; stands where a training's input hash would
};

/// Phase of the checkpoints that an import writes.
inline constexpr const char* kImportedPhase = "imported";

/// Writes an imported supernet as a finished checkpoint of that phase, which load_supernet() reads.
/// Same network and source, same bytes. @throws EnvironmentError
void write_imported_checkpoint(const std::filesystem::path& file, const Supernet& network,
                               const space::SearchSpace& space, const ImportSource& source);

/// The static network of a description with the weights of `state`, batch norm folded by its stored
/// statistics. @throws DataError "WHERE: …" as import_reference_supernet.
formats::FoldedNetwork import_reference_network(const formats::TensorFile& state,
                                                const formats::NetworkDescription& description,
                                                const std::string& where);

}  // namespace omnifit::supernet
