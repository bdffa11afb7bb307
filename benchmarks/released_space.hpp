#pragma once

#include "formats/latency_table_file.hpp"
#include "latency_lut/foreign_tables.hpp"
#include "space/additive_cost.hpp"
#include "space/search_space.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

namespace omnifit {

/// The task of the released predictor and tables.
inline constexpr space::TaskIo kReleasedIo{3, 1000};

/// ofa_mbv3 as its released predictor and tables were made for: width 1.2, five resolutions.
inline space::SearchSpace released_space() {
  core::Node root = core::load_yaml(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs" /
                                    "space" / "ofa_mbv3.yaml");
  core::apply_override(root, "width_mult=1.2");
  core::apply_override(root, "resolutions=[160, 176, 192, 208, 224]");
  return space::SearchSpace::from_yaml(root);
}

/// Latency on a Note 10 as the tables in `folder` have it.
inline space::AdditiveCost released_note10(const space::SearchSpace& space,
                                           const std::filesystem::path& folder) {
  std::vector<formats::ForeignLatencyTable> tables;
  for (const int resolution : space.resolutions()) {
    tables.push_back(
        formats::read_latency_table(folder / fmt::format("{}_lookup_table.yaml", resolution)));
  }
  const auto dialect = latency::ForeignTables::detect_dialect(tables, space, kReleasedIo);
  return latency::ForeignTables(std::move(tables), dialect).compile(space, kReleasedIo);
}

}  // namespace omnifit
