#include "exporters/scratch_folder.hpp"

#include "core/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace omnifit::exporters {

ScratchFolder::ScratchFolder() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) throw EnvironmentError(fmt::format("no temporary folder: {}", error.message()));
  std::string pattern = (parent / "omnifit-proof-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw EnvironmentError(fmt::format("{}: cannot make a temporary folder: {}", parent.string(),
                                       std::generic_category().message(errno)));
  }
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace omnifit::exporters
