#pragma once

#include "store/database.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Something that both devices measured.
struct ComparedTime {
  std::string what;  ///< text of the unit or arch
  double first_ms = 0.0;
  double second_ms = 0.0;
  [[nodiscard]] double ratio() const { return second_ms / first_ms; }
};

/// How two devices agree on what both measured.
struct TimeComparison {
  std::vector<ComparedTime> times;     ///< by ascending ratio second / first
  std::optional<double> median_ratio;  ///< empty if they have nothing in common
  std::optional<double> p10_ratio;
  std::optional<double> p90_ratio;
  std::optional<double> spearman;  ///< empty where undefined
  std::optional<double> kendall_tau;
};

struct DeviceComparison {
  TimeComparison units;
  TimeComparison networks;
};

/// Compares two devices of a project file by their names or the beginnings of their fingerprints.
/// Where a device was measured under several protocols, the best number of each unit and network
/// counts.
/// @throws ConfigError listing the devices if a name is unknown or several have it.
DeviceComparison compare_devices(const store::Database& db, const std::string& first,
                                 const std::string& second);

}  // namespace omnifit::latency
