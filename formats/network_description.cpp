#include "formats/network_description.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "formats/detail/described_units.hpp"
#include "formats/detail/description_reader.hpp"

#include <utility>

namespace omnifit::formats {

namespace {

namespace fs = std::filesystem;

/// A thousand blocks take half of it.
constexpr std::uint64_t kMaxFileBytes = 4 << 20;

/// The text's own resolution.
std::optional<detail::StatedResolution> own_resolution(const detail::JsonNode& root) {
  const auto node = root.find("resolution");
  if (!node) return std::nullopt;
  const auto [min, max] = detail::kResolutionRange;
  return detail::StatedResolution{node->integer(static_cast<int>(min), static_cast<int>(max)),
                                  "resolution"};
}

std::optional<detail::StatedResolution> given_resolution(const detail::JsonNode& root,
                                                         std::optional<int> resolution_px) {
  if (!resolution_px) return own_resolution(root);
  const auto [min, max] = detail::kResolutionRange;
  if (*resolution_px < min || *resolution_px > max) {
    throw DataError(
        fmt::format("resolution: found {}, allowed: {} to {}", *resolution_px, min, max));
  }
  return detail::StatedResolution{*resolution_px, "resolution"};
}

/// "image_size" of the run.config beside a net.config, where there is one.
std::optional<detail::StatedResolution> run_resolution(const fs::path& folder) {
  const fs::path file = folder / "run.config";
  std::error_code unreadable;
  if (!fs::exists(file, unreadable)) return std::nullopt;
  const std::string source = core::path_text(file);
  const nlohmann::json json = detail::parse_json(core::read_text_file(file, kMaxFileBytes), source);
  const auto [min, max] = detail::kResolutionRange;
  const int px = detail::JsonNode(json, source)
                     .at("image_size")
                     .integer(static_cast<int>(min), static_cast<int>(max));
  return detail::StatedResolution{px, source + ": image_size"};
}

}  // namespace

const std::string& network_family_name(NetworkFamily family) {
  static const core::EnumTable<NetworkFamily> table{
      {NetworkFamily::kMobileNetV3, "MobileNetV3"},
      {NetworkFamily::kProxylessNas, "ProxylessNASNets"},
      {NetworkFamily::kResNet, "ResNets"}};
  return core::enum_name(table, family);
}

bool operator==(const NetworkDescription& a, const NetworkDescription& b) {
  return a.family == b.family && a.batch_norm.momentum == b.batch_norm.momentum &&
         a.batch_norm.eps == b.batch_norm.eps && a.dropout_prob == b.dropout_prob &&
         a.plan == b.plan && a.unit_names == b.unit_names;
}

std::vector<space::Slot> slots(const NetworkDescription& description) {
  std::vector<space::Slot> named(description.unit_names.size());
  for (std::size_t i = 0; i < named.size(); ++i) named[i].name = description.unit_names[i];
  std::vector<space::Slot> found = space::slots(description.plan, named);
  // Lowering counts blocks without gaps; the description knows better.
  for (std::size_t i = 0; i < found.size(); ++i) found[i].name = description.unit_names[i];
  return found;
}

NetworkDescription parse_network_description(std::string_view json, const std::string& source,
                                             std::optional<int> resolution_px) {
  const nlohmann::json parsed = detail::parse_json(json, source);
  const detail::JsonNode root(parsed, source);
  const auto resolution = given_resolution(root, resolution_px);
  if (!resolution) root.fail("the input's resolution is neither given nor a key of the file");
  return detail::read_description(root, *resolution);
}

NetworkDescription read_network_description(const fs::path& file_or_folder,
                                            std::optional<int> resolution_px) {
  std::error_code unreadable;
  const bool is_folder = fs::is_directory(file_or_folder, unreadable);
  const fs::path file = is_folder ? file_or_folder / "net.config" : file_or_folder;
  const std::string source = core::path_text(file);
  const nlohmann::json parsed =
      detail::parse_json(core::read_text_file(file, kMaxFileBytes), source);
  const detail::JsonNode root(parsed, source);
  auto resolution = given_resolution(root, resolution_px);
  if (!resolution) resolution = run_resolution(file.parent_path());
  if (!resolution) {
    root.fail(
        "the input's resolution is not given, not a key of the file, and not in a run.config "
        "beside it");
  }
  return detail::read_description(root, *resolution);
}

NetworkDescription describe(const space::SearchSpace& space, const space::Arch& arch,
                            const space::TaskIo& io) {
  NetworkDescription description;
  description.batch_norm = space.batch_norm();
  description.dropout_prob = space.dropout_prob();
  description.plan = space::lower(space, arch, io);
  for (std::size_t i = 0; i < description.plan.units.size(); ++i)
    description.plan.units[i].slot = static_cast<int>(i);
  description.family = detail::family_of(description.plan);
  description.unit_names = detail::reference_names(description.family, description.plan);
  return description;
}

std::variant<space::Arch, space::NotInSpace> find_arch(const space::SearchSpace& space,
                                                       const NetworkDescription& description) {
  auto found = space::find_arch(space, description.plan);
  if (auto* miss = std::get_if<space::NotInSpace>(&found)) {
    if (miss->unit >= 0) {
      miss->reason =
          description.unit_names[static_cast<std::size_t>(miss->unit)] + ": " + miss->reason;
    }
  } else if (description.batch_norm.eps != space.batch_norm().eps) {
    return space::NotInSpace{
        .reason = fmt::format("batch-norm eps {:g} (the space has {:g})",
                              description.batch_norm.eps, space.batch_norm().eps),
        .unit = -1,
        .matched_units = static_cast<int>(description.plan.units.size())};
  }
  return found;
}

}  // namespace omnifit::formats
