#pragma once

#include "space/arch.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::formats {

/// Latencies of whole networks of a space, milliseconds; a column per device.
struct NetworkTimings {
  struct Column {
    std::string name;
    std::vector<double> ms;  ///< parallel to `archs`
  };
  std::vector<space::Arch> archs;  ///< all different, in file order
  std::vector<Column> columns;
};

/// Reads timings from a CSV file with a header, or (".json") from a list of JSON objects, on their
/// own or under "rows".
///
/// A row names its arch by "arch" (omnifit's one-line form or the reference's JSON), by the
/// reference's fields ("ks", "e", "d", "w": lists, in CSV separated by blanks; "image_size",
/// "resolution" or "r"), or, in a tabular space, the way that space's own tables do.
/// @param columns of the latencies; empty: "latency_ms" or "latency", whichever there is.
/// @throws DataError "PATH:LINE: …" (JSON: "PATH: row N: …") for a missing column, an arch that is
/// none of the space's or stands twice, a latency that is no positive number, or no rows at all.
NetworkTimings read_network_timings(const space::SearchSpace& space,
                                    const std::filesystem::path& file,
                                    const std::vector<std::string>& columns = {});

}  // namespace omnifit::formats
