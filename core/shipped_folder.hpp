#pragma once

#include <filesystem>

namespace omnifit::core {

/// A file that ships with the program: `relative` below the folder above the program's own, or else
/// below `build_folder`, the build tree this binary comes from. It may not exist.
std::filesystem::path shipped_file(const std::filesystem::path& relative,
                                   const std::filesystem::path& build_folder);

}  // namespace omnifit::core
