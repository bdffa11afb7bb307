#pragma once

#include "space/find_arch.hpp"
#include "space/lower.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace omnifit::formats {

/// The kinds of network that the Once-for-All reference describes in a `net.config` file.
enum class NetworkFamily { kMobileNetV3, kProxylessNas, kResNet };

/// The reference's class name: "MobileNetV3", "ProxylessNASNets", "ResNets".
const std::string& network_family_name(NetworkFamily family);

/// A static network as the reference describes it: the plan, and what a plan does not say.
///
/// Unit i of the plan runs in slot i. `unit_names[i]` is the prefix of its tensors in the state
/// dict of the reference's static network, as in space::Slot::name: "first_conv", "blocks.5",
/// "final_expand_layer", "feature_mix_layer", "input_stem.1", "classifier"; pools have a name but
/// no tensors. Blocks that do nothing ("ZeroLayer" beside an identity shortcut) have no unit but
/// keep their number, so the numbers of the others may jump.
struct NetworkDescription {
  NetworkFamily family = NetworkFamily::kMobileNetV3;
  space::BatchNormConfig batch_norm;
  double dropout_prob = 0.0;  ///< before the classifier, in training
  space::NetworkPlan plan;
  std::vector<std::string> unit_names;

  friend bool operator==(const NetworkDescription&, const NetworkDescription&);
};

/// The slots of the described network, one per unit, under the names of the description; what the
/// tensor names and shapes of its weights follow from. Blocks of the oldest files are called
/// "blocks.N.mobile_inverted_conv" instead of "blocks.N.conv".
std::vector<space::Slot> slots(const NetworkDescription& description);

/// Reads a description in JSON, in the reference's current or its first dialect. Strict: unknown
/// and repeated keys, wrong types, values out of range, widths that do not chain, and layers that a
/// plan cannot express (groups, dilation, another order of operations …) are errors.
/// @param source names the text in messages: a file name.
/// @param resolution_px side of the input image; without it the text's own key "resolution" counts.
/// @throws DataError, one line: "SOURCE: blocks[3].conv.kernel_size: found 4, allowed: …".
NetworkDescription parse_network_description(std::string_view json, const std::string& source,
                                             std::optional<int> resolution_px = std::nullopt);

/// As above for a file, or a folder with a `net.config`. Where neither the argument nor the file
/// says the resolution, "image_size" of a `run.config` beside the file does.
/// @throws DataError as above; also if the file is missing or larger than any description.
NetworkDescription read_network_description(const std::filesystem::path& file_or_folder,
                                            std::optional<int> resolution_px = std::nullopt);

/// The description of a subnet, with the batch norm and dropout of its space.
/// @throws DataError naming the first unit that no network of the reference has at that place.
NetworkDescription describe(const space::SearchSpace& space, const space::Arch& arch,
                            const space::TaskIo& io);

/// JSON of the reference's current dialect, indented, which its `build_from_config` loads;
/// parse_network_description gives back the same description. The resolution is not part of it
/// (the reference keeps it in `run.config`).
/// @throws DataError naming the first unit that the dialect cannot express.
std::string network_description_json(const NetworkDescription& description);

/// The arch of `space` that the description is, or why it is none: as space::find_arch, with the
/// unit's name in the reason, and with the batch-norm epsilon compared too.
std::variant<space::Arch, space::NotInSpace> find_arch(const space::SearchSpace& space,
                                                       const NetworkDescription& description);

}  // namespace omnifit::formats
