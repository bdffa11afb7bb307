#include "core/shipped_folder.hpp"

#include <system_error>

namespace omnifit::core {

std::filesystem::path shipped_file(const std::filesystem::path& relative,
                                   const std::filesystem::path& build_folder) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    auto beside = program.parent_path().parent_path() / relative;
    if (std::filesystem::exists(beside, error)) return beside;
  }
  return build_folder / relative;
}

}  // namespace omnifit::core
