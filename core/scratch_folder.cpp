#include "core/scratch_folder.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace omnifit::core {

ScratchFolder::ScratchFolder() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) throw EnvironmentError(fmt::format("no temporary folder: {}", error.message()));
  std::string pattern = (parent / "omnifit-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw EnvironmentError(fmt::format("{}: cannot make a temporary folder: {}",
                                       core::path_text(parent),
                                       std::generic_category().message(errno)));
  }
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace omnifit::core
