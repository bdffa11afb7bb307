#pragma once

#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "latency_lut/profiler.hpp"
#include "space/lower.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/project.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <optional>
#include <string>

namespace omnifit::test {

inline const space::TaskIo kIo{3, 10};

/// A profile of a shipped space on a fake device.
struct Bench {
  space::SearchSpace space;
  Project project{space, kIo};
  std::int64_t run = project.add_stage_run("profile");
  latency::ProfileConfig config;
  std::int64_t device = 0;
  core::NullProgress quiet;
  core::ProgressSink* progress = &quiet;

  explicit Bench(const std::string& name = "tiny")
      : space(space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                       (name + ".yaml"))) {
    project.db.write([&](SQLite::Database& sql) {
      device = latency::put_device(sql, {"fake", "fake", 1, "float32", "{}"});
    });
  }
  latency::ProfileReport profile(latency::LayerTimer& timer) {
    const latency::ProfileTarget target{
        project.db, run, device, project.space_id,
        [&](SQLite::Database& sql, const space::Arch& arch) { return project.arch_id(sql, arch); }};
    return latency::profile(space, kIo, timer, config, 1, target, *progress);
  }
  /// What later stages read.
  latency::LatencyTable stored_table() const {
    std::optional<latency::LatencyModelRow> model;
    project.db.read([&](SQLite::Database& sql) { model = latency::get_latency_model(sql, run); });
    return latency::LatencyTable::of_model(project.db, model.value());
  }
};

/// Every row that a profile writes, without ids and times of day.
inline std::string contents(Bench& bench) {
  std::string text;
  bench.project.db.read([&](SQLite::Database& sql) {
    for (const char* query :
         {"SELECT spec || median_ms || ' ' || p10_ms || ' ' || p90_ms || ' ' || n FROM "
          "layer_latency ORDER BY spec",
          "SELECT text || purpose || median_ms FROM network_latency JOIN arch ON arch.id = arch_id "
          "ORDER BY text",
          "SELECT scale || ' ' || offset_ms || ' ' || mape || ' ' || kendall_tau FROM "
          "latency_model",
          "SELECT spec || time_ms || ' ' || deviation_ms FROM layer_estimate ORDER BY spec"}) {
      SQLite::Statement rows(sql, query);
      while (rows.executeStep()) text += rows.getColumn(0).getString() + "\n";
    }
  });
  return text;
}

/// Asks for a clean stop after that many finished units or networks.
class StopAfter final : public core::ProgressSink {
 public:
  explicit StopAfter(int units) : left_(units) {}
  void begin(std::string_view, std::int64_t, std::string_view, std::int64_t) override {}
  void advance(std::int64_t, std::string_view) override {
    if (--left_ == 0) core::request_stop(true);
  }
  void message(std::string_view) override {}
  void end() override {}

 private:
  int left_;
};

class StopGuard {
 public:
  ~StopGuard() { core::request_stop(false); }
};

}  // namespace omnifit::test
