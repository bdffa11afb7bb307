#include "latency_lut/merge.hpp"

#include "core/error.hpp"
#include "latency_lut/compare_devices.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/profile_config.hpp"
#include "latency_lut/stored_devices.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/project.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};

space::SearchSpace shipped(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                  (name + ".yaml"));
}

/// A project in which one device was profiled: its units, two networks and a finished model. Times
/// are `factor` times a formula.
struct Profiled {
  space::SearchSpace space;
  test::Project project;
  DeviceRow row;
  std::int64_t device = 0;

  Profiled(const std::string& space_name, const std::string& device_name, double factor)
      : space(shipped(space_name)),
        project(space, kIo),
        row{device_name, "command", 1, "float32", "{}"} {
    const std::int64_t run = project.add_stage_run("profile");
    project.db.write([&](SQLite::Database& sql) {
      device = put_device(sql, row);
      for (const auto& spec : space::distinct_units(space, kIo)) {
        const double time_ms = factor * (0.1 + 1e-6 * static_cast<double>(space::macs(spec)));
        put_layer_latency(sql, device, Protocol{},
                          {spec, measurement_of({{time_ms, time_ms, time_ms, 20}})});
      }
      for (const auto& arch : {space::smallest(space), space::largest(space)}) {
        const double time_ms =
            factor * 1e-6 * static_cast<double>(space::macs(space::lower(space, arch, kIo)));
        put_network_latency(sql, device, project.arch_id(sql, arch), protocol_hash({}),
                            NetworkPurpose::kCheck,
                            measurement_of({{time_ms, time_ms, time_ms, 20}}));
      }
      LatencyModelRow model;
      model.stage_run_id = run;
      model.device_id = device;
      model.space_id = project.space_id;
      model.correction = {factor, 0.0, 12};
      model.protocol_hash = protocol_hash({});
      put_latency_model(sql, model);
      SQLite::Statement done(
          sql, "UPDATE stage_run SET state = 'done', result_hash = ?, input_hash = ?");
      done.bind(1, "result of " + device_name);
      done.bind(2, "inputs of " + device_name);
      done.exec();
    });
  }
  [[nodiscard]] store::Database open() const {
    return {project.db.path(), store::Database::Mode::kReadOnly};
  }
};

std::string contents(const store::Database& db) {
  std::string text;
  db.read([&](SQLite::Database& sql) {
    for (const char* query :
         {"SELECT name || fingerprint FROM device ORDER BY 1",
          "SELECT d.name || spec || median_ms FROM layer_latency JOIN device d ON d.id = device_id "
          "ORDER BY 1",
          "SELECT d.name || a.text || s.name || median_ms FROM network_latency JOIN device d ON "
          "d.id "
          "= device_id JOIN arch a ON a.id = arch_id JOIN space s ON s.id = space_id ORDER BY 1",
          "SELECT d.name || r.input_hash || r.result_hash || scale FROM latency_model JOIN device "
          "d "
          "ON d.id = device_id JOIN stage_run r ON r.id = stage_run_id ORDER BY 1"}) {
      SQLite::Statement rows(sql, query);
      while (rows.executeStep()) text += rows.getColumn(0).getString() + "\n";
    }
  });
  return text;
}

}  // namespace

TEST_CASE("A merge brings in a device with everything measured on it, once", "[latency][unit]") {
  Profiled mine("tiny", "laptop", 1.0);
  const Profiled theirs("tiny", "phone", 3.0);
  const MergeReport report = merge_devices(mine.project.db, theirs.open());
  const auto num_units = static_cast<std::int64_t>(space::distinct_units(mine.space, kIo).size());
  CHECK(report.tables.at("device").added == 1);
  CHECK(report.tables.at("layer_latency").added == num_units);
  CHECK(report.tables.at("network_latency").added == 2);
  CHECK(report.tables.at("latency_model").added == 1);
  CHECK(report.tables.at("arch").same == 2);
  CHECK(report.num_conflicts() == 0);

  std::vector<StoredDevice> devices;
  mine.project.db.read([&](SQLite::Database& sql) { devices = list_devices(sql); });
  REQUIRE(devices.size() == 2);
  CHECK(devices[1].row == theirs.row);
  CHECK(devices[1].num_units == num_units);
  CHECK(devices[1].num_networks == 2);
  REQUIRE(devices[1].models.size() == 1);
  CHECK(devices[1].models[0].correction.scale == 3.0);

  const std::string once = contents(mine.project.db);
  const MergeReport again = merge_devices(mine.project.db, theirs.open());
  for (const auto& [table, count] : again.tables) CHECK(count.added == 0);
  CHECK(again.num_conflicts() == 0);
  CHECK(contents(mine.project.db) == once);
}

TEST_CASE("Where both files measured the same, this project's rows stay", "[latency][unit]") {
  Profiled mine("tiny", "phone", 1.0);
  const Profiled theirs("tiny", "phone", 3.0);
  const std::string before = contents(mine.project.db);
  const MergeReport report = merge_devices(mine.project.db, theirs.open());
  CHECK(contents(mine.project.db) == before);
  CHECK(report.tables.at("device").same == 1);
  const auto& layers = report.tables.at("layer_latency");
  CHECK(layers.conflicting ==
        static_cast<std::int64_t>(space::distinct_units(mine.space, kIo).size()));
  CHECK(report.num_conflicts() > layers.conflicting);
  CHECK(report.conflicts.size() == kMaxConflictsShown);
  CHECK_THAT(report.conflicts.front(), ContainsSubstring("layer_latency ") &&
                                           ContainsSubstring(": median_ms ") &&
                                           ContainsSubstring(" stays, not "));
}

TEST_CASE("A file of another space, another format or the same file is refused whole",
          "[latency][error]") {
  Profiled mine("tiny", "laptop", 1.0);
  const std::string before = contents(mine.project.db);
  const Profiled other("mbv3_32px", "phone", 3.0);
  CHECK_THROWS_AS(merge_devices(mine.project.db, other.open()), DataError);
  CHECK_THROWS_WITH(merge_devices(mine.project.db, other.open()),
                    ContainsSubstring("was measured on the space mbv3_32px (") &&
                        ContainsSubstring("is of tiny ("));
  CHECK_THROWS_WITH(merge_devices(mine.project.db, mine.open()),
                    ContainsSubstring("cannot be merged into itself"));
  CHECK(contents(mine.project.db) == before);

  test::TempDir folder;
  store::Database empty(folder / "new.db", store::Database::Mode::kReadWrite);
  CHECK(merge_devices(empty, other.open()).tables.at("space").added == 1);
  CHECK(contents(empty) == contents(other.open()));
}

TEST_CASE("Two devices are compared on what both measured", "[latency][unit]") {
  Profiled mine("tiny", "laptop", 1.0);
  const Profiled theirs("tiny", "phone", 3.0);
  merge_devices(mine.project.db, theirs.open());
  const DeviceComparison comparison = compare_devices(mine.project.db, "laptop", "phone");
  CHECK(comparison.units.times.size() == space::distinct_units(mine.space, kIo).size());
  CHECK(comparison.units.median_ratio.value() == Approx(3.0));
  CHECK(comparison.units.kendall_tau.value() == Approx(1.0));
  CHECK(comparison.networks.times.size() == 2);
  CHECK(comparison.networks.p90_ratio.value() == Approx(3.0));
  CHECK_THAT(comparison.networks.times.front().what, ContainsSubstring("(tiny, 3 channels"));
  CHECK_THROWS_AS(compare_devices(mine.project.db, "laptop", "tablet"), ConfigError);
  CHECK_THROWS_WITH(compare_devices(mine.project.db, "laptop", "tablet"),
                    ContainsSubstring("no device 'tablet' (there: laptop "));

  const std::string fingerprint = core::hex64(device_fingerprint(theirs.row));
  CHECK(compare_devices(mine.project.db, "laptop", fingerprint.substr(0, 8)).units.times.size() >
        0);
  mine.project.db.write([](SQLite::Database& sql) {
    put_device(sql, {"phone", "command", 4, "float32", "{}"});
  });
  CHECK_THROWS_WITH(compare_devices(mine.project.db, "laptop", "phone"),
                    ContainsSubstring("several devices are called 'phone'"));
}

}  // namespace omnifit::latency
