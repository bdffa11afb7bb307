#include "latency_lut/imported_networks.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "core/units.hpp"
#include "latency_lut/foreign_store.hpp"
#include "latency_lut/latency_store.hpp"
#include "learn/cross_validation.hpp"
#include "space/encoding.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <map>

namespace omnifit::latency {
namespace {

constexpr int kFolds = 5;
constexpr int kMinJudged = 10;

Eigen::MatrixXd one_hot(const space::SearchSpace& space, std::span<const space::Arch> archs) {
  const int width = space::num_columns(space, space::Encoding::kOneHot);
  Eigen::MatrixXd features(static_cast<Eigen::Index>(archs.size()), width);
  std::vector<double> row(static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < archs.size(); ++i) {
    space::encode(space, archs[i], space::Encoding::kOneHot, row);
    features.row(static_cast<Eigen::Index>(i)) =
        Eigen::Map<const Eigen::RowVectorXd>(row.data(), width);
  }
  return features;
}

/// At most `count` of the indices 0 … size - 1, evenly spread.
std::vector<std::size_t> spread(std::size_t size, std::size_t count) {
  std::vector<std::size_t> indices;
  const std::size_t taken = std::min(size, count);
  for (std::size_t i = 0; i < taken; ++i) indices.push_back(i * size / taken);
  return indices;
}

struct DeviceTimes {
  std::string name;
  NetworkTimes times;
};

std::vector<DeviceTimes> devices_with_times(SQLite::Database& sql, const space::SearchSpace& space,
                                            std::int64_t space_id, const std::string& except) {
  SQLite::Statement query(sql,
                          "SELECT d.id, d.name FROM device d JOIN network_latency n ON n.device_id "
                          "= d.id JOIN arch a ON a.id = n.arch_id WHERE n.purpose = 'imported' AND "
                          "a.space_id = ? AND d.name <> ? GROUP BY d.id HAVING count(*) >= ? "
                          "ORDER BY d.name, d.id");
  query.bind(1, space_id);
  query.bind(2, except);
  query.bind(3, static_cast<std::int64_t>(KnownDevices::kMinKnownNetworks));
  std::vector<DeviceTimes> devices;
  while (query.executeStep()) {
    devices.push_back({query.getColumn(1).getString(),
                       get_imported_networks(sql, query.getColumn(0).getInt64(), space_id, space)});
  }
  return devices;
}

std::size_t position_of(const KnownDevices& known, const space::Arch& arch) {
  const auto found = std::find(known.candidates.begin(), known.candidates.end(), arch);
  OMNIFIT_CHECK(found != known.candidates.end(), "a measured arch is no candidate");
  return static_cast<std::size_t>(found - known.candidates.begin());
}

}  // namespace

void put_imported_networks(SQLite::Database& sql, std::int64_t device_id,
                           std::span<const ImportedNetwork> networks) {
  SQLite::Statement insert(
      sql,
      fmt::format("INSERT INTO network_latency (device_id, arch_id, protocol_hash, purpose, "
                  "median_ms, measured_at) VALUES (?, ?, '', '{}', ?, ?) ON CONFLICT (device_id, "
                  "arch_id, protocol_hash, purpose) DO UPDATE SET median_ms = excluded.median_ms, "
                  "measured_at = excluded.measured_at",
                  network_purpose_name(NetworkPurpose::kImported)));
  const std::string now = core::utc_now();
  for (const ImportedNetwork& network : networks) {
    insert.bind(1, device_id);
    insert.bind(2, network.arch_id);
    insert.bind(3, network.time_ms);
    insert.bind(4, now);
    insert.exec();
    insert.reset();
  }
}

NetworkTimes get_imported_networks(SQLite::Database& sql, std::int64_t device_id,
                                   std::int64_t space_id, const space::SearchSpace& space) {
  SQLite::Statement query(
      sql,
      "SELECT a.text, n.median_ms FROM network_latency n JOIN arch a ON a.id = n.arch_id WHERE "
      "n.device_id = ? AND a.space_id = ? AND n.purpose = 'imported' AND n.median_ms IS NOT NULL "
      "ORDER BY n.id");
  query.bind(1, device_id);
  query.bind(2, space_id);
  NetworkTimes times;
  while (query.executeStep()) {
    const std::string text = query.getColumn(0).getString();
    try {
      times.archs.push_back(space::parse_arch(space, text));
    } catch (const ConfigError& error) {
      throw DataError(fmt::format("network_latency: arch '{}': {}", text, error.what()));
    }
    times.ms.push_back(query.getColumn(1).getDouble());
  }
  return times;
}

JudgedModel fit_and_judge(const space::SearchSpace& space, const space::TaskIo& io,
                          const NetworkTimes& networks, std::uint64_t seed) {
  const auto size = static_cast<int>(networks.archs.size());
  if (size < kMinJudged) {
    throw DataError(fmt::format("a model of whole networks needs at least {} timings, found {}",
                                kMinJudged, size));
  }
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kFit);
  const std::vector<int> fold_of = learn::assign_folds(size, kFolds, rng);
  std::vector<double> estimated(networks.ms.size());
  for (int fold = 0; fold < kFolds; ++fold) {
    NetworkTimes fitted;
    for (std::size_t i = 0; i < fold_of.size(); ++i) {
      if (fold_of[i] == fold) continue;
      fitted.archs.push_back(networks.archs[i]);
      fitted.ms.push_back(networks.ms[i]);
    }
    const NetworkModel model = NetworkModel::fit(space, io, fitted.archs, fitted.ms);
    for (std::size_t i = 0; i < fold_of.size(); ++i) {
      if (fold_of[i] == fold) estimated[i] = model.estimate_ms(networks.archs[i]);
    }
  }
  // A linear model may go below zero where networks are far cheaper than any it saw.
  const double smallest = *std::min_element(networks.ms.begin(), networks.ms.end());
  for (double& value : estimated) value = std::max(value, 0.1 * smallest);
  return {NetworkModel::fit(space, io, networks.archs, networks.ms),
          judge_estimates(estimated, networks.ms)};
}

std::optional<space::AdditiveCost> imported_cost(SQLite::Database& sql, std::int64_t device_id,
                                                 std::int64_t space_id,
                                                 const space::SearchSpace& space,
                                                 const space::TaskIo& io) {
  if (const auto tables = get_foreign_tables(sql, device_id)) return tables->compile(space, io);
  const auto row = get_network_model(sql, device_id, space_id, space);
  if (!row) return std::nullopt;
  return row->model.cost();
}

KnownDevices known_devices(SQLite::Database& sql, const space::SearchSpace& space,
                           std::int64_t space_id, const std::string& except,
                           std::span<const space::Arch> also) {
  const std::vector<DeviceTimes> devices = devices_with_times(sql, space, space_id, except);
  if (devices.size() < static_cast<std::size_t>(DeviceTransfer::kMinDevices)) {
    throw StateError(fmt::format(
        "a new device is learnt from at least {} others with {} imported timings of space '{}' "
        "each, the project has {}; import theirs first (omnifit device import)",
        DeviceTransfer::kMinDevices, KnownDevices::kMinKnownNetworks, space.name(),
        devices.size()));
  }
  KnownDevices known;
  std::map<space::Arch, std::size_t> position;
  const auto add = [&](const space::Arch& arch) {
    if (position.try_emplace(arch, known.candidates.size()).second) {
      known.candidates.push_back(arch);
    }
  };
  for (const space::Arch& arch : also) add(arch);
  const std::size_t room =
      KnownDevices::kMaxCandidates / devices.size();  // every device brings its share
  for (const DeviceTimes& device : devices) {
    const std::size_t size = device.times.archs.size();
    const std::size_t count = std::max(room, KnownDevices::kMaxKnownNetworks);
    for (const std::size_t i : spread(size, count)) add(device.times.archs[i]);
  }
  known.features = one_hot(space, known.candidates);
  known.ms.resize(known.features.rows(), static_cast<Eigen::Index>(devices.size()));
  for (std::size_t d = 0; d < devices.size(); ++d) {
    const NetworkTimes& times = devices[d].times;
    std::vector<std::size_t> measured;
    std::vector<double> ms;
    for (std::size_t i = 0; i < times.archs.size(); ++i) {
      const auto found = position.find(times.archs[i]);
      if (found == position.end()) continue;
      measured.push_back(found->second);
      ms.push_back(times.ms[i]);
    }
    std::vector<std::size_t> own;
    std::vector<double> own_ms;
    for (const std::size_t i : spread(measured.size(), KnownDevices::kMaxKnownNetworks)) {
      own.push_back(measured[i]);
      own_ms.push_back(ms[i]);
    }
    known.names.push_back(devices[d].name);
    known.ms.col(static_cast<Eigen::Index>(d)) = estimate_candidates(known.features, own, own_ms);
  }
  return known;
}

JudgedModel transfer_model(const space::SearchSpace& space, const space::TaskIo& io,
                           const KnownDevices& known, const NetworkTimes& timings) {
  const DeviceTransfer transfer = known.transfer();
  std::vector<std::size_t> measured;
  for (const space::Arch& arch : timings.archs) measured.push_back(position_of(known, arch));
  const Eigen::VectorXd all = transfer.estimate(measured, timings.ms).time_ms;

  EstimateCheck check;
  if (measured.size() > static_cast<std::size_t>(DeviceTransfer::kMinMeasurements)) {
    std::vector<double> estimated;
    for (std::size_t left_out = 0; left_out < measured.size(); ++left_out) {
      std::vector<std::size_t> others = measured;
      std::vector<double> ms = timings.ms;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(left_out));
      ms.erase(ms.begin() + static_cast<std::ptrdiff_t>(left_out));
      estimated.push_back(
          transfer.estimate(others, ms).time_ms(static_cast<Eigen::Index>(measured[left_out])));
    }
    check = judge_estimates(estimated, timings.ms);
  }
  return {NetworkModel::fit(space, io, known.candidates,
                            std::span<const double>(all.data(), known.candidates.size())),
          check};
}

}  // namespace omnifit::latency
