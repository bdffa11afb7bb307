#pragma once

#include "latency_lut/device_transfer.hpp"
#include "latency_lut/network_model.hpp"
#include "space/arch.hpp"
#include "store/database.hpp"

#include <Eigen/Core>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Whole-network timings that came from elsewhere. Functions that take SQLite::Database run inside
/// Database::read or Database::write.

struct ImportedNetwork {
  std::int64_t arch_id = 0;
  double time_ms = 0.0;
};
/// Stores or replaces the timings of a device: a number without spread or samples.
void put_imported_networks(SQLite::Database& sql, std::int64_t device_id,
                           std::span<const ImportedNetwork> networks);

/// Archs with the latency a device has for each.
struct NetworkTimes {
  std::vector<space::Arch> archs;
  std::vector<double> ms;
};
/// What was imported for a device, in the order it came. @throws DataError if an arch of the space
/// cannot be read.
NetworkTimes get_imported_networks(SQLite::Database& sql, std::int64_t device_id,
                                   std::int64_t space_id, const space::SearchSpace& space);

/// A model of all networks, judged on each of them by a model that was fitted without its fifth.
struct JudgedModel {
  NetworkModel model;
  EstimateCheck check;
};
/// @throws as NetworkModel::fit; needs ten networks.
JudgedModel fit_and_judge(const space::SearchSpace& space, const space::TaskIo& io,
                          const NetworkTimes& networks, std::uint64_t seed);

/// Estimates of every arch on an imported device: from its latency tables where it has some, else
/// from its model of whole networks. nullopt if it has neither for that space. Call inside
/// Database::read. @throws StateError if its tables are of another space.
std::optional<space::AdditiveCost> imported_cost(SQLite::Database& sql, std::int64_t device_id,
                                                 std::int64_t space_id,
                                                 const space::SearchSpace& space,
                                                 const space::TaskIo& io);

/// The devices of a project that can tell about a new one: those with imported timings of at least
/// kMinKnownNetworks networks of the space.
struct KnownDevices {
  static constexpr std::size_t kMinKnownNetworks = 30;
  /// Networks a device's own model is fitted on at most, evenly over what there is.
  static constexpr std::size_t kMaxKnownNetworks = 900;
  /// Archs that can be proposed, at most.
  static constexpr std::size_t kMaxCandidates = 4000;

  std::vector<std::string> names;
  std::vector<space::Arch> candidates;  ///< archs with a timing on any of them, all different
  Eigen::MatrixXd ms;                   ///< per candidate and device, by the device's own model
  Eigen::MatrixXd features;             ///< one-hot encoding of each candidate

  [[nodiscard]] DeviceTransfer transfer() const { return {ms, features}; }
};
/// @param also archs that must be among the candidates. @param except name of a device to leave
/// out, the new one. @throws StateError if fewer than DeviceTransfer::kMinDevices are known.
KnownDevices known_devices(SQLite::Database& sql, const space::SearchSpace& space,
                           std::int64_t space_id, const std::string& except,
                           std::span<const space::Arch> also = {});

/// A model of every arch of the space from few timings of a new device: transfers to all candidates
/// and fits an additive model on those estimates. The check says how it does on the timings
/// themselves, each left out of the transfer once; with fewer than
/// DeviceTransfer::kMinMeasurements + 1 there is none.
JudgedModel transfer_model(const space::SearchSpace& space, const space::TaskIo& io,
                           const KnownDevices& known, const NetworkTimes& timings);

}  // namespace omnifit::latency
