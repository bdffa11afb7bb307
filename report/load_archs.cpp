#include "core/node.hpp"
#include "report/loader.hpp"

#include <fmt/format.h>

namespace omnifit::report {

const space::SearchSpace* Loader::search_space(std::int64_t space_id) {
  const auto [entry, is_new] = spaces_.try_emplace(space_id);
  if (is_new) {
    SQLite::Statement row(sql_, "SELECT yaml FROM space WHERE id = ?");
    row.bind(1, space_id);
    if (row.executeStep()) {
      try {
        const core::Node root = core::parse_yaml(row.getColumn(0).getString(), "space");
        entry->second = space::SearchSpace::from_yaml(root);
      } catch (const Error&) {
        // Stored by a version with other fields: everything but drawings and estimates still works.
        entry->second.reset();
      }
    }
  }
  return entry->second ? &*entry->second : nullptr;
}

std::optional<space::Arch> Loader::parse(const StoredArch& arch) {
  const space::SearchSpace* space = search_space(arch.space_id);
  if (space == nullptr) return std::nullopt;
  try {
    return space::parse_arch(*space, arch.info.text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<StageShape> Loader::shape(const StoredArch& arch) {
  const std::optional<space::Arch> parsed = parse(arch);
  if (!parsed) return {};
  const space::SearchSpace& space = *search_space(arch.space_id);
  std::vector<StageShape> stages;
  for (std::size_t s = 0; s < space.stages().size(); ++s) {
    const space::StageConfig& config = space.stages()[s];
    const int stage = static_cast<int>(s);
    StageShape shape{config.width, config.stride, config.depths.back(), {}};
    for (int block = 0; block < space::depth(space, *parsed, stage); ++block) {
      shape.blocks.push_back(
          {static_cast<int>(
               space::axis_value(space, *parsed, space::Axis::kKernelSize, stage, block)),
           space::axis_value(space, *parsed, space::Axis::kExpandRatio, stage, block)});
    }
    stages.push_back(std::move(shape));
  }
  return stages;
}

const StoredArch& Loader::arch(std::int64_t arch_id) {
  const auto [entry, is_new] = archs_.try_emplace(arch_id);
  StoredArch& stored = entry->second;
  if (!is_new) return stored;
  SQLite::Statement row(
      sql_,
      "SELECT space_id, in_channels, num_classes, text, resolution_px, macs, params, "
      "peak_memory_bytes, model_bytes FROM arch WHERE id = ?");
  row.bind(1, arch_id);
  if (!row.executeStep()) {
    throw DataError(fmt::format("{}: there is no arch {}, which results refer to",
                                sql_.getFilename(), arch_id));
  }
  stored.space_id = row.getColumn(0).getInt64();
  stored.in_channels = row.getColumn(1).getInt();
  stored.num_classes = row.getColumn(2).getInt();
  stored.info.text = row.getColumn(3).getString();
  const auto count = [&row](int column) -> std::optional<std::int64_t> {
    if (row.getColumn(column).isNull()) return std::nullopt;
    return row.getColumn(column).getInt64();
  };
  if (const auto resolution_px = count(4)) {
    stored.info.resolution_px = static_cast<int>(*resolution_px);
  }
  stored.info.macs = count(5);
  stored.info.params_count = count(6);
  stored.info.peak_memory_bytes = count(7);
  stored.info.model_bytes = count(8);
  stored.info.stages = shape(stored);
  return stored;
}

}  // namespace omnifit::report
