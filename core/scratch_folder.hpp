#pragma once

#include <filesystem>

namespace omnifit::core {

/// A temporary folder that goes, with what is in it, when its owner goes.
class ScratchFolder {
 public:
  /// @throws EnvironmentError if there is no temporary folder or none can be made in it.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace omnifit::core
