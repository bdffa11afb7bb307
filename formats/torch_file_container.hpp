#pragma once

#include "formats/torch_file_pickle.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

/// The two containers of torch.save(). For the sources of this folder alone.
namespace omnifit::formats {

/// The pickled object and the bytes of its storages, one for each of object.storages, exactly as
/// long as declared. All point into the file.
struct TorchContainer {
  Pickle object;
  std::vector<std::span<const std::byte>> storages;
};

/// Tells the containers apart and opens either. @throws DataError
TorchContainer open_torch_container(const std::string& where, std::span<const std::byte> bytes);

}  // namespace omnifit::formats
