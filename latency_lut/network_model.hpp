#pragma once

#include "latency_lut/correction.hpp"
#include "space/additive_cost.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Latency of every arch of a space, learnt from whole networks of which only arch and latency are
/// known.
///
/// A sum over the places a unit can run in, each with an own linear model of what may stand there
/// (present, kernel, widths, multiply-accumulates, elements moved, which follow the resolution),
/// plus a term per resolution: an additive block × resolution model. Of a tabular space a term per
/// gene and per pair of genes. All weights together are fitted by ridge regression whose penalty is
/// chosen by the exact leave-one-out error. The result is an AdditiveCost, so bounds, repair and
/// search take it like a latency table. Immutable; thread-safe.
class NetworkModel {
 public:
  static constexpr int kMinNetworks = 8;

  /// @param io of the networks; of a tabular space without meaning.
  /// @throws std::invalid_argument if sizes differ, with fewer than kMinNetworks networks, or if a
  /// time is not positive.
  static NetworkModel fit(const space::SearchSpace& space, const space::TaskIo& io,
                          std::span<const space::Arch> archs, std::span<const double> measured_ms);

  [[nodiscard]] const space::AdditiveCost& cost() const { return cost_; }
  /// The estimate [ms]; deviation_ms() says how sure it is.
  [[nodiscard]] double estimate_ms(const space::Arch& arch) const { return cost_(arch); }
  /// Root mean square error of networks left out of the fit one at a time [ms].
  [[nodiscard]] double deviation_ms() const { return deviation_ms_; }
  [[nodiscard]] int num_fit() const { return num_fit_; }

  /// Terms, constant and deviation as JSON; what latency_model stores.
  [[nodiscard]] std::string to_json() const;
  /// Inverse of to_json. @throws DataError if the text is damaged or of another space.
  static NetworkModel parse_json(const space::SearchSpace& space, const std::string& text);

 private:
  explicit NetworkModel(space::AdditiveCost cost) : cost_(std::move(cost)) {}

  space::AdditiveCost cost_;
  double deviation_ms_ = 0.0;
  int num_fit_ = 0;
};

/// A network model as a device's row of latency_model, with how it did on networks it was not
/// fitted on.
struct NetworkModelRow {
  std::int64_t device_id = 0;
  std::int64_t space_id = 0;
  NetworkModel model;
  EstimateCheck check;
};
/// Stores or replaces the model of a device and space. Call inside Database::write.
void put_network_model(SQLite::Database& sql, const NetworkModelRow& row);
/// nullopt if that device has none for that space. Call inside Database::read.
std::optional<NetworkModelRow> get_network_model(SQLite::Database& sql, std::int64_t device_id,
                                                 std::int64_t space_id,
                                                 const space::SearchSpace& space);

}  // namespace omnifit::latency
