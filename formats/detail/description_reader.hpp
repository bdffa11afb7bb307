#pragma once

#include "formats/detail/json_node.hpp"
#include "formats/network_description.hpp"

#include <string>

namespace omnifit::formats::detail {

/// Side of the input image and who says so, for messages: "resolution", "run.config: image_size".
struct StatedResolution {
  int px = 0;
  std::string where;
};

constexpr core::IntRange kResolutionRange{1, 2048};

/// The description that a parsed JSON text holds. @throws DataError as parse_network_description.
NetworkDescription read_description(const JsonNode& root, const StatedResolution& resolution);

}  // namespace omnifit::formats::detail
