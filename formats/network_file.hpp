#pragma once

#include "formats/folded_network.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace omnifit::formats {

/// A static network in one file: its plan and its folded weights, in the container of TensorFile.
/// Metadata: "kind" says "omnifit.network/1"; "resolution_px", "in_channels", "num_classes";
/// "units", one line of space::spec_text per unit; and whatever `notes` adds. Unit i runs in slot
/// i.
///
/// @param notes where the network comes from, for people: "name", "source", …
/// @throws DataError if the network is not valid; std::invalid_argument if a note has a key of the
/// format; EnvironmentError if the file cannot be written.
void write_network_file(const std::filesystem::path& file, const FoldedNetwork& network,
                        const std::map<std::string, std::string>& notes);

struct NetworkFile {
  FoldedNetwork network;
  std::map<std::string, std::string> notes;
};

/// @throws DataError "PATH: …": as read_tensor_file; not a network file; a unit that is none; every
/// missing, extra or misshapen tensor.
NetworkFile read_network_file(const std::filesystem::path& file);

}  // namespace omnifit::formats
