#pragma once

#include "space/search_space.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace omnifit::cli {

/// The space that foreign data belong to: a shipped one or a file, with keys replaced, because what
/// was released is often of a variant (another width, certain resolutions) of a shipped space.
struct SpaceOption {
  std::string name;
  std::vector<std::string> keys;  ///< "width_mult=1.2"

  /// Adds --space (required) and --set.
  void add_to(CLI::App& command);
  /// @throws ConfigError listing the shipped names, or with the location in the file.
  [[nodiscard]] space::SearchSpace load() const;
};

}  // namespace omnifit::cli
