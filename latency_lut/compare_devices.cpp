#include "latency_lut/compare_devices.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "latency_lut/measurement.hpp"
#include "latency_lut/stored_devices.hpp"
#include "learn/metrics.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace omnifit::latency {
namespace {

using Times = std::map<std::string, double>;

Times times_of(SQLite::Database& sql, const char* query, std::int64_t device_id) {
  SQLite::Statement rows(sql, query);
  rows.bind(1, device_id);
  Times times;
  while (rows.executeStep()) times[rows.getColumn(0).getString()] = rows.getColumn(1).getDouble();
  return times;
}

std::optional<double> defined(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

TimeComparison compare(const Times& first, const Times& second) {
  TimeComparison result;
  for (const auto& [what, first_ms] : first) {
    const auto other = second.find(what);
    if (other != second.end()) result.times.push_back({what, first_ms, other->second});
  }
  if (result.times.empty()) return result;
  std::stable_sort(
      result.times.begin(), result.times.end(),
      [](const ComparedTime& a, const ComparedTime& b) { return a.ratio() < b.ratio(); });
  std::vector<double> ratios;
  std::vector<double> a;
  std::vector<double> b;
  for (const ComparedTime& time : result.times) {
    ratios.push_back(time.ratio());
    a.push_back(time.first_ms);
    b.push_back(time.second_ms);
  }
  result.median_ratio = quantile(ratios, 0.5);
  result.p10_ratio = quantile(ratios, 0.1);
  result.p90_ratio = quantile(ratios, 0.9);
  result.spearman = defined(learn::spearman(a, b));
  result.kendall_tau = defined(learn::kendall_tau(a, b));
  return result;
}

}  // namespace

DeviceComparison compare_devices(const store::Database& db, const std::string& first,
                                 const std::string& second) {
  DeviceComparison comparison;
  db.read([&](SQLite::Database& sql) {
    const std::vector<StoredDevice> devices = list_devices(sql);
    const std::int64_t a = find_device(devices, first, core::path_text(db.path())).id;
    const std::int64_t b = find_device(devices, second, core::path_text(db.path())).id;
    constexpr const char* kUnits =
        "SELECT spec, min(median_ms) FROM layer_latency WHERE device_id = ? AND median_ms IS NOT "
        "NULL GROUP BY spec";
    constexpr const char* kNetworks =
        "SELECT a.text || ' (' || s.name || ', ' || a.in_channels || ' channels, ' || "
        "a.num_classes || ' classes)', min(n.median_ms) FROM network_latency n JOIN arch a ON a.id "
        "= n.arch_id JOIN space s ON s.id = a.space_id WHERE n.device_id = ? AND n.median_ms IS "
        "NOT NULL GROUP BY a.id";
    comparison.units = compare(times_of(sql, kUnits, a), times_of(sql, kUnits, b));
    comparison.networks = compare(times_of(sql, kNetworks, a), times_of(sql, kNetworks, b));
  });
  return comparison;
}

}  // namespace omnifit::latency
