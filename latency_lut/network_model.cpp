#include "latency_lut/network_model.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "latency_lut/detail/arch_terms.hpp"
#include "learn/ridge.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <stdexcept>
#include <utility>

namespace omnifit::latency {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kKind = "additive";

template <class T>
void bind_optional(SQLite::Statement& statement, int index, const std::optional<T>& value) {
  if (value) {
    statement.bind(index, *value);
  } else {
    statement.bind(index);
  }
}

std::optional<double> read_optional(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return column.getDouble();
}

}  // namespace

NetworkModel NetworkModel::fit(const space::SearchSpace& space, const space::TaskIo& io,
                               std::span<const space::Arch> archs,
                               std::span<const double> measured_ms) {
  if (archs.size() != measured_ms.size()) {
    throw std::invalid_argument(
        fmt::format("{} archs but {} measurements", archs.size(), measured_ms.size()));
  }
  if (archs.size() < kMinNetworks) {
    throw std::invalid_argument(fmt::format("an additive model needs at least {} networks, got {}",
                                            kMinNetworks, archs.size()));
  }
  for (const double time_ms : measured_ms) {
    if (!std::isfinite(time_ms) || time_ms <= 0.0) {
      throw std::invalid_argument(fmt::format("times must be positive, got {} ms", time_ms));
    }
  }
  const std::vector<detail::FeatureTable> tables = detail::feature_tables(space, io);
  learn::RidgeRegressor ridge;
  ridge.fit(detail::arch_features(tables, archs),
            Eigen::Map<const Eigen::VectorXd>(measured_ms.data(),
                                              static_cast<Eigen::Index>(measured_ms.size())));
  NetworkModel model(space::AdditiveCost::from_terms(
      space, detail::weighted_terms(tables, ridge.weights()), ridge.intercept()));
  model.deviation_ms_ = ridge.leave_one_out_rmse();
  model.num_fit_ = static_cast<int>(archs.size());
  return model;
}

std::string NetworkModel::to_json() const {
  Json terms = Json::array();
  for (const space::AdditiveCost::Term& term : cost_.terms()) {
    terms.push_back({{"genes", term.genes}, {"values", term.values}});
  }
  return Json{{"version", kVersion},          {"space", core::hex64(cost_.space_fingerprint())},
              {"num_fit", num_fit_},          {"deviation_ms", deviation_ms_},
              {"constant", cost_.constant()}, {"terms", terms}}
      .dump();
}

NetworkModel NetworkModel::parse_json(const space::SearchSpace& space, const std::string& text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("version").get<int>() != kVersion) {
      throw DataError(fmt::format("a latency model of version {}, this omnifit reads {}",
                                  json.at("version").get<int>(), kVersion));
    }
    if (json.at("space").get<std::string>() != core::hex64(space.fingerprint())) {
      throw DataError(fmt::format("the latency model is of another space than '{}'", space.name()));
    }
    std::vector<space::AdditiveCost::Term> terms;
    for (const Json& term : json.at("terms")) {
      terms.push_back(
          {term.at("genes").get<std::vector<int>>(), term.at("values").get<std::vector<double>>()});
    }
    NetworkModel model(
        space::AdditiveCost::from_terms(space, terms, json.at("constant").get<double>()));
    model.deviation_ms_ = json.at("deviation_ms").get<double>();
    model.num_fit_ = json.at("num_fit").get<int>();
    return model;
  } catch (const Json::exception&) {
    throw DataError("the latency model is damaged: its terms cannot be read");
  } catch (const std::invalid_argument& error) {
    throw DataError(std::string("the latency model is damaged: ") + error.what());
  }
}

void put_network_model(SQLite::Database& sql, const NetworkModelRow& row) {
  SQLite::Statement remove(sql,
                           "DELETE FROM latency_model WHERE stage_run_id IS NULL AND device_id = ? "
                           "AND space_id = ? AND kind = ?");
  remove.bind(1, row.device_id);
  remove.bind(2, row.space_id);
  remove.bind(3, kKind);
  remove.exec();
  SQLite::Statement insert(
      sql,
      "INSERT INTO latency_model (device_id, space_id, kind, scale, offset_ms, num_fit, num_check, "
      "mape, within_10_percent, kendall_tau, r2, deviation_ms, terms) VALUES (?, ?, ?, 1, 0, ?, ?, "
      "?, ?, ?, ?, ?, ?)");
  insert.bind(1, row.device_id);
  insert.bind(2, row.space_id);
  insert.bind(3, kKind);
  insert.bind(4, row.model.num_fit());
  insert.bind(5, row.check.num_check);
  bind_optional(insert, 6, row.check.mape);
  bind_optional(insert, 7, row.check.within_10_percent);
  bind_optional(insert, 8, row.check.kendall_tau);
  bind_optional(insert, 9, row.check.r2);
  insert.bind(10, row.model.deviation_ms());
  insert.bind(11, row.model.to_json());
  insert.exec();
}

std::optional<NetworkModelRow> get_network_model(SQLite::Database& sql, std::int64_t device_id,
                                                 std::int64_t space_id,
                                                 const space::SearchSpace& space) {
  SQLite::Statement query(
      sql,
      "SELECT terms, num_check, mape, within_10_percent, kendall_tau, r2 FROM latency_model WHERE "
      "stage_run_id IS NULL AND device_id = ? AND space_id = ? AND kind = ?");
  query.bind(1, device_id);
  query.bind(2, space_id);
  query.bind(3, kKind);
  if (!query.executeStep()) return std::nullopt;
  EstimateCheck check{query.getColumn(1).getInt(), read_optional(query.getColumn(2)),
                      read_optional(query.getColumn(3)), read_optional(query.getColumn(4)),
                      read_optional(query.getColumn(5))};
  return NetworkModelRow{device_id, space_id,
                         NetworkModel::parse_json(space, query.getColumn(0).getString()), check};
}

}  // namespace omnifit::latency
